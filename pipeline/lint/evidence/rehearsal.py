"""From a template to scripts: what its model would write, word for word, and the prompts after which it is to say it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.lint.evidence.lines import ASKED, BARE, LINES, Line
from pipeline.lint.evidence.manner import (
    Marks,
    Written,
    after,
    closing,
    end_of,
    opens_thinking,
    source_thinking,
    tags,
    thinking_is_off,
    written,
)
from pipeline.lint.evidence.scenes import Scene
from pipeline.lint.evidence.staging import Prompter
from pipeline.lint.probes import ANSWER, ARGUMENT, RESULT, SECOND, THOUGHT, TOOL, USER

if TYPE_CHECKING:
    from pipeline.lint.subject import Subject


MOST_BEHIND = 20
_TAGS_AND_SPACE = re.compile(r"<[^<>]*>|\[[A-Z_/]+\]|\s")


@dataclass(frozen=True)
class Manner:
    """What stands before and after a thought: as the template shows it, or guessed (not ``shown``). ``opened``: prompts end
    where the thought begins.
    """

    open: str = ""
    close: str = ""
    shown: bool = False
    opened: bool = False


class _Untold(Exception):
    """Why a template does not tell how a line is written."""


class Rehearsal:
    """Learns each line from the template. ``missing`` says of lines that can't be learned why."""

    def __init__(self, prompter: Prompter, subject: Subject, marks: Marks) -> None:
        self.prompter, self.subject, self.marks = prompter, subject, marks
        self.missing: dict[str, str] = {}
        self._prompts = {tools: self.prompter.prompt([ASKED], tools) for tools in (False, True)}
        self.terminator, self.elsewhere = "", False
        self.manner = self._manner()

    def scenes(self) -> Iterator[Scene]:
        """Yield what can be played; ``missing`` says of the other lines why they can't."""
        for line in LINES:
            try:
                found = self.learned(line)
            except _Untold as why:
                self.missing[line.name] = str(why)
                continue
            if line.name == "answer":
                self.terminator = found.end
            yield from self._of(line, found)

    def _opening(self, opening: str) -> None:
        """Take what opens an answer off what closes a thought: before a call it does not stand. Where it names the role, the
        generation prompt has not: such answers no model of this template writes after it.
        """
        self.elsewhere = "assistant" in opening.casefold()
        if opening.strip() and self.manner.close.endswith(opening):
            self.manner = replace(self.manner, close=self.manner.close.removesuffix(opening))

    def learned(self, line: Line) -> Written:
        """Return how a line is written after the prompt for an answer."""
        prompt = self._prompts[line.tools]
        if USER not in prompt:
            raise _Untold("the template renders no prompt to answer")
        if line.tools and TOOL not in prompt:
            raise _Untold("the template has no tools")
        if line.thought and thinking_is_off(prompt):
            raise _Untold("the prompt has thinking switched off")
        shown = replace(line, thought="") if line.thought and not self.manner.shown else line
        found = self._written(shown, tuple(word for word in line.words if shown.thought or word != THOUGHT))
        if found is None:
            raise _Untold("the template does not show such a turn when it is over")
        if line.name == "answer":
            self._opening(found.text.partition(ANSWER)[0])
            if len(_TAGS_AND_SPACE.sub("", found.end)) > MOST_BEHIND:
                raise _Untold("the template writes more behind an answer than a model would")
        if self.elsewhere or (found.skipped.strip() and not (self._opened(prompt) or thinking_is_off(prompt))):
            raise _Untold("the generation prompt does not lead to an answer as the template shows it")
        found = self._with_thought(line, found)
        if found.ends_early(self.marks):
            raise _Untold("the template writes a token that ends answers in the middle of such a turn")
        return found

    def _written(self, line: Line, words: tuple[str, ...]) -> Written | None:
        prompt, messages = self._prompts[line.tools], line.conversation()
        if line.calls:
            known = (tags(self.terminator) or [""])[-1]
            found = written(prompt, self.prompter.prompt(messages, line.tools), words, RESULT, self.marks, known)
            if not found or line.calls[0][0] not in found.text:
                history = self.prompter.prompt(line.conversation(spelled=True), line.tools)
                found = written(prompt, history, words, RESULT, self.marks, known) or found
            return found
        # A last answer may end otherwise than an earlier one (gpt-oss), and only an earlier one may be closed.
        last = written(prompt, self.prompter.prompt(messages[:2], line.tools, asked=False), words, "", self.marks)
        if line.thought and last and self.terminator:
            return replace(last, text=last.text.removesuffix(last.end) + self.terminator, end=self.terminator)
        if last and any(last.end.endswith(end) for end in self.marks.ends):
            return last
        found = written(prompt, self.prompter.prompt(messages, line.tools), words, SECOND, self.marks)
        own = self._own_end()
        return replace(found, text=found.text.removesuffix(found.end) + own, end=own) if found and own else found

    def _own_end(self) -> str:
        """Return the end of a last answer as the template has it: the server may write another (gpt-oss)."""
        shown = self.subject.renderings.get("answered")
        end = end_of((shown.text or "").partition(ANSWER)[2], self.marks) if shown else ""
        return end if any(end.endswith(text) for text in self.marks.ends) else ""

    def _with_thought(self, line: Line, found: Written) -> Written:
        """Put thoughts before a line where the prompt has begun them, or where the line has some that history leaves out."""
        if THOUGHT in found.text:
            return found
        manner, prompt = self.manner, self._prompts[line.tools]
        tag = opens_thinking(prompt)
        close = manner.close or (f"\n{closing(tag)}\n\n" if tag else "")
        opened = self._opened(prompt)
        if (not opened or thinking_is_off(prompt)) and not line.thought:
            return found
        if not close:
            raise _Untold("the template shows no thinking")
        lead = "" if opened else manner.open
        if close.strip() in found.text:  # an empty thought stands there
            rest = found.text[found.text.index(close.strip()) :]
            return Written(lead + THOUGHT + rest, found.end) if line.thought else found
        return Written(after(lead + THOUGHT + close, found.text), found.end)

    def _opened(self, prompt: str) -> bool:
        """Whether a prompt ends where a thought begins."""
        shown = self.manner.open.strip()
        return bool(opens_thinking(prompt)) or self.manner.opened or bool(shown and prompt.rstrip().endswith(shown))

    def _manner(self) -> Manner:
        prompt, line = self._prompts[False], next(line for line in LINES if line.name == "thought")
        history = self.prompter.prompt(line.conversation()[:2], False, asked=False)
        found = written(prompt, history, (THOUGHT, ANSWER), "", self.marks)
        if found and found.text.index(THOUGHT) < found.text.index(ANSWER):
            before, _, rest = found.text.partition(THOUGHT)
            return Manner(
                before,
                rest[: rest.index(ANSWER)],
                shown=True,
                opened=not before.strip(),
            )
        if tag := source_thinking(self.subject.template or ""):
            return Manner(tag.replace("/", "", 1) + "\n", f"\n{tag}\n\n")
        return Manner()

    def _of(self, line: Line, found: Written) -> Iterator[Scene]:
        thought = THOUGHT if THOUGHT in found.text else ""
        guessed = bool(thought) and not self.manner.shown and not opens_thinking(self._prompts[line.tools])
        scene = Scene(line.name, found.text, found.end, line.content, thought, line.calls, line.tools, guessed=guessed)
        yield scene
        if line.name == "answer":
            said = found.text.removesuffix(found.end)
            yield replace(scene, name="unended", text=said, ended=False)
            bare = found.text.replace(ANSWER, BARE)
            yield replace(scene, name="bare", text=bare, content=BARE, tools=True)
        if line.name == "call":
            yield replace(scene, name="cut-call", whole=False)
            close = self._after_value(found)
            if close:
                marked = found.text.replace(line.words[0], f"{line.words[0]} {close} {line.words[0]}")
                calls = ((line.calls[0][0], {ARGUMENT: f"{line.words[0]} {close} {line.words[0]}"}),)
                yield replace(scene, name="marked", text=marked, calls=calls)
        if line.name == "thought":
            yield replace(scene, name="cut-thought", whole=False)

    def _after_value(self, found: Written) -> str:
        """Return a marker that closes a call, without what ends the answer."""
        end = found.end
        return next((tag for tag in tags(end) if tag not in self.marks.ends), "")
