"""A request as it came from a client."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.deploy.door.answers import Refusal

MOST_HEADERS = 100


@dataclass
class Request:
    """Method, target and headers (names in lower case), and the body as far as it is there."""

    method: str = ""
    target: str = ""
    old: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def add(self, name: bytes, value: bytes) -> None:
        """Take a header. Raises Refusal for too many, and for two keys or origins of which one might be believed."""
        if len(self.headers) + len(self.hosts) >= MOST_HEADERS:
            raise Refusal(431, "head_too_large", f"a request has at most {MOST_HEADERS} headers")
        key, said = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        if key == "host":
            self.hosts.append(said)
        elif key in self.headers and key in ("authorization", "x-api-key", "origin", "content-type", "expect"):
            raise Refusal(400, "bad_head", f"two headers {key}")
        else:
            self.headers[key] = said

    @property
    def length(self) -> int | None:
        """The length of the body, as told; None when it comes in chunks or there is none."""
        said = self.headers.get("content-length")
        return None if said is None else int(said)

    @property
    def has_body(self) -> bool:
        """Whether a body follows the head."""
        return bool(self.length) or "transfer-encoding" in self.headers

    def check(self, most: int) -> None:
        """Raise Refusal for a body that is too large, or of a kind that is not read here."""
        if (self.length or 0) > most:
            raise too_large(most)
        if self.old and "transfer-encoding" in self.headers:
            raise Refusal(400, "bad_http", "HTTP/1.0 knows no chunks")
        if self.headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise Refusal(501, "bad_encoding", "a body comes whole or chunked")
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "bad_encoding", "a body comes uncompressed")
        if self.method == "POST" and not self.has_body:
            raise Refusal(400, "bad_json", "the request has no body")


def too_large(most: int) -> Refusal:
    """Return the refusal of a body."""
    return Refusal(413, "body_too_large", f"a request may have {most} bytes")
