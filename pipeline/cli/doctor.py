"""``assay doctor``: what is here, what is missing, how to get it."""

from __future__ import annotations

from typing import Any

from pipeline.cli.command import App, command


@command
def doctor(app: App) -> int:
    """Show the engine's identity and this machine's fingerprint; say what is missing and how to get it.

    \b
    assay doctor
    assay doctor --json
    """
    from pipeline.core.errors import AssayError
    from pipeline.core.host import hardware
    from pipeline.lock.compile import pinned_engine
    from pipeline.runtime.build import find_engine, require_pinned

    pinned, machine, problems = pinned_engine(), hardware(), []
    content: dict[str, Any] = {"pinned": pinned.model_dump(mode="json")}
    lines = [f"pinned      llama.cpp {pinned.llama_cpp_commit} (llama-cpp-python {pinned.llama_cpp_python})"]
    try:
        build = find_engine(app.engine)
        identity = build.identity
        found = {"digest": str(identity.digest), "server": str(build.server), "origin": identity.origin}
        content["engine"] = identity.content() | found
        lines += [
            f"engine      llama.cpp {identity.commit}, version {identity.version}, {identity.origin}",
            f"            {build.server}",
            f"            backends {', '.join(identity.backends) or 'none found'}; digest {identity.digest}",
            *(f"            {digest}  {name}" for name, digest in sorted(identity.files.items())),
        ]
        require_pinned(build, pinned)
        for tool in ("llama-bench", "llama-perplexity", "llama-quantize"):
            build.tool(tool)
    except AssayError as error:
        problems.append({"message": error.message, "hint": error.hint})
    content["hardware"] = {**machine.content(), "digest": str(machine.digest)}
    lines.append(f"hardware    {machine.digest}")
    lines += [f"            {key}: {value}" for key, value in machine.content().items() if value not in (None, [], ())]
    content["problems"] = problems
    lines += [f"PROBLEM     {problem['message']}\n  -> {problem['hint']}" for problem in problems]
    app.answer("doctor", content, "\n".join(lines))
    return 6 if problems else 0
