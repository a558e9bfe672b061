from __future__ import annotations

from pipeline.lint.evidence.grades import Grade
from pipeline.lint.model import Severity
from pipeline.lint.rules._played import PlayedRule


class StreamDiffers(PlayedRule):
    """An answer comes out otherwise when it is streamed, or breaks the protocol of the API.

    Names, arguments, content and finish_reason must be the same in both; each call needs an index, one id and one name, its
    arguments together are JSON, and a stream has one finish_reason and ends with `[DONE]`. An answer with calls ends with
    `tool_calls`, any other that ends by itself with `stop`. Clients that stream see something else than those that don't, or
    programs run no tool. That a line which is cut short differs is told as worth knowing.

    To mend it, name a template in the spec (`chat.template`) that the engine reads as it is meant, or don't stream.
    """

    code = "A708"
    severity = Severity.WARNING
    grades = (
        Grade.STREAM,
        Grade.FINISH,
    )
    says = "an answer is not as the protocol has it, or another when it is streamed"
    mild = ("cut-call", "cut-thought", "bare")


RULE = StreamDiffers()
