"""The part of W&B's GraphQL schema that the stand-in speaks, and the check of a document against it.

graphql-core parses and validates, so an unknown field or argument is refused in the words that
real servers use.
"""

from functools import lru_cache

from graphql import DocumentNode, GraphQLError, GraphQLSchema, build_schema, parse, validate

SDL = """
scalar JSON
scalar JSONString
scalar DateTime
type Query {
  viewer: User
  serverInfo: ServerInfo
  project(name: String, entityName: String): Project
  entity(name: String): Entity
  models(entityName: String, after: String, first: Int): ProjectConnection
}
type ServerInfo { features: [Feature!]! cliVersionInfo: JSONString latestLocalVersionInfo: JSON }
type Feature { name: String! isEnabled: Boolean! }
type Entity { id: ID! name: String! }
type EntityConnection { edges: [EntityEdge!]! }
type EntityEdge { node: Entity }
type ApiKey { id: ID! name: String description: String }
type ApiKeyConnection { edges: [ApiKeyEdge!]! }
type ApiKeyEdge { node: ApiKey }
type User {
  id: ID! name: String username: String email: String admin: Boolean flags: JSONString
  entity: String deletedAt: DateTime apiKeys: ApiKeyConnection teams: EntityConnection
}
type PageInfo { endCursor: String hasNextPage: Boolean! }
type ProjectConnection { edges: [ProjectEdge!]! pageInfo: PageInfo! }
type ProjectEdge { node: Project cursor: String! }
type Project {
  id: ID! internalId: ID! name: String! entityName: String! createdAt: DateTime isBenchmark: Boolean
  readOnly: Boolean user: User
  runCount(filters: JSONString): Int
  run(name: String!): Run
  runs(filters: JSONString, after: String, first: Int, order: String): RunConnection
}
type RunConnection { edges: [RunEdge!]! pageInfo: PageInfo! totalCount: Int! }
type RunEdge { node: Run cursor: String! }
type Run {
  id: ID! name: String! projectId: Int displayName: String state: String createdAt: DateTime
  heartbeatAt: DateTime tags: [String!] group: String jobType: String sweepName: String notes: String
  description: String commit: String readOnly: Boolean historyLineCount: Int host: String user: User
  config: JSONString summaryMetrics: JSONString systemMetrics: JSONString historyKeys: JSON
  runInfo: RunInfo history(samples: Int): [JSONString!] events(samples: Int): [JSONString!]
}
type RunInfo { program: String gpuCount: Int }
"""


@lru_cache(maxsize=16)
def schema(without: frozenset[str] = frozenset()) -> GraphQLSchema:
    """The schema, less the named fields, as "Run.host": a server older than they are."""
    built = build_schema(SDL)
    for name in without:
        kind, _, field = name.partition(".")
        del built.type_map[kind].fields[field]  # type: ignore[attr-defined]
    return built


@lru_cache(maxsize=256)
def check(query: str, without: frozenset[str] = frozenset()) -> tuple[DocumentNode, list[GraphQLError]]:
    """The parsed document and what is wrong with it. Raises GraphQLError when it does not parse."""
    document = parse(query)
    return document, validate(schema(without), document)
