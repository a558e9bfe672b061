"""Logins at registries: what a 401 asks for, and tokens, which are kept in memory only and renewed when they have expired.

Credentials go to the registry itself (Basic), or to the token service that it names (Bearer). That service must be https, or on this
machine like the registry. It gets credentials only when it is on the registry's own host, or is Docker Hub's
(``auth.docker.io`` for ``registry-1.docker.io``): else any registry could ask for those of another by naming its token service, or send
them anywhere. Another token service is asked for an anonymous token.
"""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pipeline.core import http
from pipeline.core.errors import Gated, NetworkError, UsageError
from pipeline.spec.sources._credentials import DOCKER_HUB, Credentials, credentials_for

T = TypeVar("T")
_SCHEME = re.compile(r"\s*,?\s*([A-Za-z]+)(?=\s|$)")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")
_SECONDS, _EARLY = 60.0, 5.0
_DOCKER_PAIR = (DOCKER_HUB, "auth.docker.io")


def challenges(header: str) -> dict[str, dict[str, str]]:
    """Return what a ``WWW-Authenticate`` header offers, by scheme in lower case. What is malformed is left out."""
    found: dict[str, dict[str, str]] = {}
    at = 0
    while scheme := _SCHEME.match(header, at):
        at = scheme.end()
        parameters = found.setdefault(scheme[1].lower(), {})
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            quoted = parameter[2]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else parameter[3]
            parameters.setdefault(parameter[1].lower(), value)
    return found


class Login:
    """How one repository is read, or with ``actions`` written to: without a word at first, then as its registry asks. Safe in threads."""

    def __init__(self, host: str, repository: str, api: str, actions: str = "pull") -> None:
        self.host, self.repository, self._api, self._actions = host, repository, api, actions
        self._lock = Lock()
        self._header: str | None = None
        self._until = float("inf")
        self._asked: dict[str, str] = {}

    def header(self) -> str | None:
        """Return the value of ``Authorization`` for a request that is made now."""
        with self._lock:
            if self._header and time.monotonic() >= self._until:
                self._bearer(self._asked)
            return self._header

    def asked(self, attempt: Callable[[], T]) -> T:
        """Return what ``attempt`` returns; when the registry wants a login, log in and try once more. Raises as ``attempt`` does,
        UsageError and NetworkError for what the login comes to.
        """
        before = self.header()
        try:
            return attempt()
        except http.Refused as error:
            if error.status != 401 or not self._answer(error, before):
                raise
        return attempt()

    def _answer(self, error: http.Refused, before: str | None) -> bool:
        """Log in as a 401 asks; False where that leads nowhere."""
        offered = challenges(error.headers.get("www-authenticate", ""))
        with self._lock:
            if self._header != before:  # another thread was here first
                return True
            if "realm" in offered.get("bearer", {}):
                self._bearer(offered["bearer"])
                return True
            if "basic" in offered and (known := self._known()) and not known.refreshes:
                self._header, self._until = known.basic, float("inf")
                return self._header != before
            return False

    def _known(self) -> Credentials | None:
        return credentials_for(self.host, self.repository)

    def _bearer(self, asked: dict[str, str]) -> None:
        """Get a token."""
        realm = self._realm(asked["realm"])
        known = self._known() if self._trusts(realm) else None
        scope = asked.get("scope", "")
        wanted = {
            **({"service": asked["service"]} if "service" in asked else {}),
            # Never more than what is to be done, whatever is offered.
            "scope": scope
            if re.fullmatch(rf"[!-~]+:{self._actions}", scope)
            else f"repository:{self.repository}:{self._actions}",
        }
        try:
            said = http.persist(lambda: _trade(realm, wanted, known))
        except http.Refused as error:
            raise self._refused(error, realm, known) from None
        token = said.get("token") or said.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise NetworkError(f"{realm}: the token service of {self.host} sent no token")
        seconds = said.get("expires_in")
        valid = min(float(seconds), 86400.0) if isinstance(seconds, int) and seconds > 0 else _SECONDS
        self._header, self._asked = f"Bearer {token}", asked
        self._until = time.monotonic() + max(valid - _EARLY, valid / 2)

    def _realm(self, realm: str) -> str:
        """Return the token service's URL. Raises NetworkError for one that may not be asked."""
        try:
            host = urlsplit(http.check_url(realm)).hostname or ""
            literal = ipaddress.ip_address(host)
        except UsageError as error:
            raise self._strange(error.message) from None
        except ValueError:
            literal = None
        own = urlsplit(self._api).hostname or ""
        near = http.is_loopback(host) or (literal is not None and not literal.is_global)
        if near and host != own and not http.is_loopback(own):
            raise self._strange(f"{realm} is on a private network")
        return realm

    def _strange(self, said: str) -> NetworkError:
        return NetworkError(
            f"{self.host} names a token service that may not be asked: {said}", hint="is it the right host?"
        )

    def _trusts(self, realm: str) -> bool:
        host = urlsplit(realm).hostname
        return host == urlsplit(self._api).hostname or (self.host, host) == _DOCKER_PAIR

    def _refused(self, error: http.Refused, realm: str, known: Credentials | None) -> NetworkError:
        if error.status not in (400, 401, 403):
            return error
        if known:
            message = f"{self.host}: {urlsplit(realm).netloc} refuses the credentials of {known.place}"
            return Gated(message, hint=f"run docker login {self.host}")
        if not self._trusts(realm):
            message = f"{self.host}/{self.repository} is not public, and its tokens come from another host"
            hint = f"credentials of {self.host} are not sent to {urlsplit(realm).netloc}"
            return Gated(message, hint=hint)
        return Gated(f"{self.host}/{self.repository} wants a login", hint=f"run docker login {self.host}")


def _trade(realm: str, wanted: dict[str, str], known: Credentials | None) -> dict[str, Any]:
    """Return the token service's answer: to a GET, or to a POST where a refresh token is what we have."""
    accept = {"Accept": "application/json"}
    if known and known.refreshes:
        form = {"grant_type": "refresh_token", "client_id": "assay", "refresh_token": known.secret, **wanted}
        headers = {**accept, "Content-Type": "application/x-www-form-urlencoded"}
        opened = http.get(realm, headers, method="POST", body=urlencode(form).encode(), shown=realm)
    else:
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(wanted, quote_via=quote)}"
        opened = http.get(url, accept, authorization=known.basic if known else None, shown=realm)
    with opened as response:
        body = response.read(1 << 20)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise NetworkError(f"{realm}: the token service's answer is no JSON object")
    return said
