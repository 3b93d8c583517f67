"""Who is asking: service-account keys, the token endpoint and bearer tokens."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.sheets.errors import ApiError

ACCOUNT = "runsheet@project.iam.gserviceaccount.com"
SHEETS = "https://www.googleapis.com/auth/spreadsheets"
DRIVE = "https://www.googleapis.com/auth/drive"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class GrantError(Exception):
    """A refusal of the token endpoint, whose errors have a form of their own."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.json = {"error": error, "error_description": description}


@dataclass(frozen=True)
class Bearer:
    """What a token stands for; no scopes means all."""

    account: str
    scopes: tuple[str, ...] = ()

    def may(self, *accepted: str) -> bool:
        """Whether one of the scopes was granted; narrower ones of the family count by their full name."""
        return not self.scopes or any(scope in accepted for scope in self.scopes)


class Access:
    """Keys by account and tokens issued. A token nobody issued stands for ACCOUNT with all scopes, so that
    tests may bring one of their own; `expire` makes all tokens up to now useless."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, rsa.RSAPublicKey]] = {}
        self.tokens: dict[str, Bearer] = {}
        self.expired: set[str] = set()
        self.expiring = False

    def new_key(self, email: str) -> tuple[str, str]:
        """A fresh key of an account, beside those it has: its id and its private half as PEM."""
        private = _rsa(sum(map(len, self.keys.values())))
        name = f"{private.public_key().public_numbers().n:x}"[:16]
        self.keys.setdefault(email, {})[name] = private.public_key()
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return name, pem.decode()

    def write_key(self, path: Path, email: str, url: str) -> Path:
        """A service-account file whose token_uri is at the url."""
        name, pem = self.new_key(email)
        info = {
            "type": "service_account",
            "project_id": "project",
            "private_key_id": name,
            "private_key": pem,
            "client_email": email,
            "client_id": "1",
            "token_uri": f"{url}/token",
        }
        path.write_text(json.dumps(info))
        return path

    def revoke(self, email: str) -> None:
        """Make all keys of the account invalid; tokens issued stay good, as with Google."""
        self.keys[email] = {}

    def issue(self, account: str, scopes: tuple[str, ...] = ()) -> str:
        token = f"ya29.{len(self.tokens)}-{account}"
        self.tokens[token] = Bearer(account, scopes)
        return token

    def expire(self) -> None:
        """All tokens issued so far answer 401 from now on."""
        self.expired |= set(self.tokens)

    def grant(self, body: bytes) -> dict[str, object]:
        """Answer a JWT bearer grant; raises GrantError like Google."""
        form = parse_qs(body.decode())
        if form.get("grant_type") != [GRANT]:
            raise GrantError("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")
        claims = self._claims(form.get("assertion", [""])[0])
        account = str(claims.get("iss"))
        token = self.issue(account, tuple(str(claims.get("scope", "")).split()))
        return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def bearer(self, header: str | None) -> Bearer:
        """Who an Authorization header speaks for; raises ApiError 401 when nobody."""
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token or token in self.expired:
            raise ApiError(
                401,
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
                "or other valid authentication credential. See "
                "https://developers.google.com/identity/sign-in/web/devconsole-project.",
            )
        return self.tokens.get(token, Bearer(ACCOUNT))

    def _claims(self, assertion: str) -> dict[str, object]:
        try:
            signed, _, signature = assertion.rpartition(".")
            claims: dict[str, object] = json.loads(_decode(signed.split(".")[1]))
        except (ValueError, IndexError):
            raise GrantError("invalid_grant", "Bad Request") from None
        keys = self.keys.get(str(claims.get("iss")))
        if keys is None:
            raise GrantError("invalid_grant", "Invalid grant: account not found")
        if not any(_signed(key, signed, signature) for key in keys.values()):
            raise GrantError("invalid_grant", "Invalid JWT Signature.")
        if not _timely(claims):
            raise GrantError(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim.",
            )
        return claims


@cache
def _rsa(number: int) -> rsa.RSAPrivateKey:
    """The n-th key of this process: making one takes a tenth of a second, so servers share them."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _signed(key: rsa.RSAPublicKey, signed: str, signature: str) -> bool:
    try:
        key.verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _timely(claims: dict[str, object]) -> bool:
    start, end = claims.get("iat"), claims.get("exp")
    now = time.time()
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        return False
    return end - start <= 3600 and start - 300 <= now < end
