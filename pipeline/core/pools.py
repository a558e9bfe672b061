"""Connections that are kept open between requests: direct ones, or those of the proxy that the environment names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.core.errors import UsageError

if TYPE_CHECKING:
    import urllib3


def pool_for(scheme: str, host: str, port: int, *, direct: bool) -> urllib3.PoolManager:
    """Return the connections to a host; ``direct`` ones whatever the environment says. Raises UsageError for a proxy that is none."""
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or direct or proxy_bypass(f"{host}:{port}"):
        return _pool("")
    return _pool(proxy if "://" in proxy else f"http://{proxy}")


@cache
def _pool(proxy: str) -> urllib3.PoolManager:
    import urllib3  # it opens a socket to see whether there is IPv6

    if not proxy:
        return urllib3.PoolManager(maxsize=64)
    try:
        parts = urlsplit(proxy)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"a proxy of scheme {parts.scheme!r}")
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        return urllib3.ProxyManager(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            maxsize=64,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=user) if user else None,
        )
    except ValueError as error:
        raise UsageError(f"the proxy settings can't be used: {error}", hint="see HTTPS_PROXY and ALL_PROXY") from None
