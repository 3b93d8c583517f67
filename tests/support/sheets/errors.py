"""How Google says no. Every refusal of the stand-in is an ApiError; the server turns it into an answer."""

from __future__ import annotations

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
}
"""Google's name of each code that the stand-in uses."""


class ApiError(Exception):
    """An answer other than 200: the HTTP code, Google's message and further keys of the error object."""

    def __init__(self, code: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.more = more

    def json(self) -> dict[str, object]:
        error = {"code": self.code, "message": self.message, "status": STATUS[self.code]}
        return {"error": error | self.more}


def bad(message: str) -> ApiError:
    """A 400, the common case."""
    return ApiError(400, message)


def violation(field: str, message: str) -> ApiError:
    """A 400 of the JSON parser, which names the field, as Google does before it looks at the document."""
    details = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": field, "description": message}],
    }
    return ApiError(400, message, details=[details])
