"""What the hub means when it refuses: its error codes in words, with what to do."""

from __future__ import annotations

from pipeline.core.errors import Gated, Gone, NetworkError
from pipeline.core.http import Refused

_TOKEN = "make a token at {hub}/settings/tokens and set HF_TOKEN, or log in with `hf auth login`"
_DISABLED = "Access to this resource is disabled."
_BAD_TOKEN = "Invalid credentials in Authorization header"


def explained(error: Refused, hub: str, repo: str, rev: str, path: str = "") -> NetworkError:
    """Return the error in words; ``error`` itself where it says all, as when the hub is only busy."""
    code, said = error.headers.get("x-error-code", ""), error.headers.get("x-error-message", "")
    token = _TOKEN.format(hub=hub)
    if error.status not in (401, 403, 404, 410):
        return error
    if said == _DISABLED:
        return Gone(f"{repo} is disabled: nobody may read it", hint="its page may say why; take another model")
    if code == "GatedRepo":
        asked = "its owner has not let you in" if error.status == 403 else "it is read with a token only"
        hint = f"accept the terms at {hub}/{repo}, then {token}"
        return Gated(f"{repo} is gated: {asked}", hint=hint)
    if code == "RevisionNotFound":
        return Gone(f"{repo} has no revision {rev!r}", hint=f"see {hub}/{repo}/commits/main; commits may vanish")
    if code == "EntryNotFound":
        what = f"no {path}" if path else "no such file"
        return Gone(f"{repo} has {what} at {rev}", hint=f"see {hub}/{repo}/tree/main")
    if said == _BAD_TOKEN:
        return Gated(f"{hub} does not know the token that was sent", hint=f"it may have expired: {token}")
    if error.status == 401:
        hint = f"check the name; if it is private or gated, {token}"
        return Gated(f"{repo} is private, gated or missing: the hub does not tell which", hint=hint)
    if error.status == 403 and (said or code):  # the storage, which refuses too, never says why
        hint = f"give it the right to read {repo} at {hub}/settings/tokens"
        return Gated(f"the token may not read {repo}{_quoted(said)}", hint=hint)
    if code == "RepoNotFound":
        hint = f"check the name at {hub}/{repo}; a private one needs the token of somebody who may read it"
        return Gone(f"there is no repository {repo}, or none that the token may see", hint=hint)
    return error


def _quoted(said: str) -> str:
    """Return the hub's own words, as far as a terminal can bear them."""
    words = "".join(letter for letter in said[:200] if letter.isprintable())
    return f': "{words}"' if words else ""
