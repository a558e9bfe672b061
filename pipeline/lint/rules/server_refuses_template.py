from __future__ import annotations

from collections.abc import Iterable

from pipeline.lint.evidence.hollow import last_words
from pipeline.lint.model import Finding, Severity, Stage
from pipeline.lint.rules._base import Rule, without_template
from pipeline.lint.rules._engine import told
from pipeline.lint.rules.engine_lacks_feature import RULE as ENGINE_LACKS_FEATURE
from pipeline.lint.rules.engine_refuses_vocabulary import BEHIND
from pipeline.lint.rules.engine_refuses_vocabulary import RULE as ENGINE_REFUSES_VOCABULARY
from pipeline.lint.rules.template_fails import RULE as TEMPLATE_FAILS
from pipeline.lint.subject import Subject

SAYS = ("Unable to generate parser", "common_chat_templates_init: error", "chat template parsing error")


class ServerRefusesTemplate(Rule):
    """llama-server does not start with this file's chat template.

    The server tries the template on conversations of its own as it starts, to learn how the model calls tools and thinks
    ("Unable to generate parser for this template"), and ends when one of them fails. The same template may render
    everything that clients send, so other checks see nothing. About one in sixty published templates is refused
    (llama.cpp#20305). Judged by starting the real server with the file's vocabulary and template on an empty body.

    To mend it, correct what the message names and name the template in the spec (`chat.template`): often a variable that
    is used without a test whether it is defined.
    """

    code = "A611"
    severity = Severity.ERROR
    stage = Stage.HOLLOW

    def skip(self, subject: Subject) -> str:
        if reason := without_template(subject):
            return reason
        behind = (TEMPLATE_FAILS, ENGINE_LACKS_FEATURE, *BEHIND, ENGINE_REFUSES_VOCABULARY)
        return told(subject, behind) or subject.served.missing

    def check(self, subject: Subject) -> Iterable[Finding]:
        served = subject.served
        if served.up:
            return
        said = next((line for sign in SAYS for line in served.refusal if sign in line), "")
        shown = last_words(said) or "; ".join(served.refusal[-2:])
        how = f"does not start ({served.ending})" if served.ending else "is not ready in time"
        yield self.finding(
            f"llama-server {how}" + (" with this chat template" if said else "") + f": {shown}",
            where="chat_template" if said else "",
            evidence=shown if not said else f"llama.cpp says: {last_words(said)}",
            fix="correct it and name it in the spec (chat.template), or use an engine that takes it",
        )


RULE = ServerRefusesTemplate()
