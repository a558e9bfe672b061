"""What llama-server does to a chat template before it uses and shows it, so that a template is known by what is shown.

As in ``common_chat_templates_init`` of the pinned llama.cpp: two texts of known templates are patched out, one newline at
the end is dropped and line ends are made plain, as Jinja does.
"""

from __future__ import annotations

from collections.abc import Iterator

PATCH = "{%- if false %}"
PATCHED = {
    "<|channel|>": '{%- if "<|channel|>analysis<|message|>" in message.content or "<|channel|>final<|message|>" in message.content %}',
    "[TOOL_CALLS]": "{%- if (message['content'] is none or message['content'] == '' or message['content']|length == 0) and "
    "(message['tool_calls'] is not defined or message['tool_calls'] is none or message['tool_calls']|length == 0) %}",
}
"""Conditions under which templates of gpt-oss and of Mistral raise, which the server takes out of templates that have the
marker.
"""


def given_as(shown: str) -> Iterator[str]:
    """Yield the templates that the server may have been given if this is the one that it shows, the likeliest first."""
    for text in (shown, *(shown.replace(PATCH, condition) for condition in PATCHED.values() if PATCH in shown)):
        for whole in (text, f"{text}\n"):
            yield whole
            yield whole.replace("\n", "\r\n")


def as_served(template: str) -> str:
    """Return the template as the server shows it."""
    text = template.replace("\r\n", "\n").removesuffix("\n")
    for marker, condition in PATCHED.items():
        text = text.replace(condition, PATCH) if marker in text else text
    return text
