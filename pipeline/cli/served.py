"""What ``assay serve`` says once the door is open: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipeline.report.text import size

if TYPE_CHECKING:
    from pipeline.flow.roster import Resident
    from pipeline.flow.serve import Service


def content_of(service: Service, verdicts: Mapping[str, str], engine: str) -> dict[str, Any]:
    """Return what is served as JSON; of one model alone, what is told of it stands at the top too. ``verdicts`` are the
    gate's, by name; sizes are in bytes.
    """
    served = [
        {
            "name": one.lock.name,
            "lock": str(one.lock.digest),
            "weights": one.lock.weights.sha256,
            "decision": verdicts[one.lock.name],
            "log": str(one.log),
            "pid": one.backend.process.pid if one.backend else None,
            "state": one.state,
            "reason": one.why or None,
            "memory": one.size or None,
        }
        for one in service.residents
    ]
    alone = ("name", "log", "pid", "lock", "weights", "decision") if len(served) == 1 else ()
    return {
        "url": f"{service.url}/v1",
        "models": [name for one in service.residents for name in one.upstream.names],
        "key_file": str(service.key_file),
        "access_log": str(service.access_log),
        "engine": engine,
        "memory": int(service.budget) if isfinite(service.budget) else None,
        "served": served,
        **{key: served[0][key] for key in alone},
    }


def text_of(service: Service, verdicts: Mapping[str, str]) -> str:
    """Return the same for people."""
    door = [f"  API key  in {service.key_file}"]
    requests = [f"  requests {service.access_log}", "Ctrl-C stops it."]
    if len(service.residents) == 1:
        one = service.residents[0]
        head = [f"{one.lock.name} is served at {service.url}/v1", *_names(one)]
        return "\n".join([*head, *door, *_rest(one, verdicts), *requests])
    head = [f"{len(service.residents)} models are served at {service.url}/v1", *door, *_together(service)]
    each = [line for one in service.residents for line in (*_names(one), *_state(one), *_rest(one, verdicts))]
    return "\n".join([*head, *each, *requests])


def _names(one: Resident) -> list[str]:
    return [f"  model    {one.upstream.names[0]}", f"           {one.upstream.names[1]}"]


def _state(one: Resident) -> list[str]:
    return [f"  memory   {size(one.size)}, {one.state}{f': {one.why}' if one.why else ''}"]


def _rest(one: Resident, verdicts: Mapping[str, str]) -> list[str]:
    return [f"  lock     {one.lock.digest}", f"  decision {verdicts[one.lock.name]}", f"  log      {one.log}"]


def _together(service: Service) -> list[str]:
    wanted = sum(one.size for one in service.residents)
    if not isfinite(service.budget):
        return [f"  memory   {size(wanted)} for all"]
    how = "all are loaded" if wanted <= service.budget else "each is loaded when it is asked for"
    return [f"  memory   {size(wanted)} for all, {size(service.budget)} may be taken: {how}"]
