"""An embedding model from its spec to the vectors that clients get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from pipeline.core.project import Project
from pipeline.flow.canary import canary
from pipeline.flow.locking import make_lock
from pipeline.flow.serve import Service, serve
from pipeline.flow.session import Session
from tests.encoder import CLS, CONTEXT, RANK, WIDTH, write_encoder
from tests.projects import assay, make_project

TEXTS = ["What is the capital of France?", "What is the capital of Italy?", "An owl says hoot."]
SPEC = """\
name: small
source: file:../models/small.gguf
license: {allow: [apache-2.0]}
profile: embedding
engine: {context: 1024, slots: 2, threads: 1, pooling: mean}
evals: [near]
bench: {prefill: [16], decode: [4], repetitions: 3, budget: 0}
"""
NEAR = """\
kind: embedding_similarity
version: "1"
description: Likeness.
license: CC0-1.0
source: written for this test
data: pairs.jsonl
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_chat: Path) -> Project:
    """The model that chats, as one that makes vectors."""
    made = make_project(tmp_path_factory.mktemp("vectors") / "project", tiny_chat)
    (made.root / "specs" / "small.yaml").write_text(SPEC)
    folder = made.root / "evals" / "near"
    folder.mkdir()
    (folder / "suite.yaml").write_text(NEAR)
    pairs = [
        f'{{"id": "{n}", "a": "{TEXTS[n % 2]}", "b": "{TEXTS[n % 3]}", "similarity": {n % 4}.0}}' for n in range(12)
    ]
    (folder / "pairs.jsonl").write_text("\n".join(pairs) + "\n")
    make_lock(Session(made), "small")
    return made


def test_vectors_come_through_the_front_door_as_the_eval_kind_makes_them(project: Project) -> None:
    seen: dict[str, Any] = {}

    def ask(service: Service) -> None:
        key = service.key_file.read_text().strip()
        with openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0) as client:
            several = client.embeddings.create(model="small", input=["tree " * n for n in (1, 40, 3, 99, 7)]).data
            alone = [client.embeddings.create(model="small", input="tree " * n).data[0] for n in (1, 40, 3, 99, 7)]
            seen["likeness"] = [
                np.dot(one.embedding, other.embedding) for one, other in zip(several, alone, strict=True)
            ]
            seen["vectors"] = [one.embedding for one in client.embeddings.create(model="small", input=TEXTS).data]
            seen["again"] = client.embeddings.create(model="small", input=TEXTS[0], encoding_format="float").data[0]
            long = client.embeddings.create(model="small", input="tree " * 150)
            seen["tokens"] = long.usage.prompt_tokens
            with pytest.raises(openai.BadRequestError, match="too large to process"):
                client.embeddings.create(model="small", input="tree " * 400)
            with pytest.raises(openai.InternalServerError, match="it answers /v1/embeddings, and writes nothing"):
                client.chat.completions.create(model="small", messages=[{"role": "user", "content": "Hello!"}])
        canary(service.backend)
        raise KeyboardInterrupt

    session = Session(project)
    serve(session, session.current("small"), host="127.0.0.1", port=0, started=ask)
    vectors = np.array(seen["vectors"])
    assert vectors.shape == (3, session.current("small").gguf["embedding_length"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0] * 3, abs=1e-4)
    assert seen["likeness"] == pytest.approx([1.0] * 5, abs=1e-3)  # whatever shares the batch
    assert seen["tokens"] > 512  # longer than a micro batch is by default
    from pipeline.runtime.binding import Scorer

    with Scorer(session.stored(session.current("small")).weights, threads=1, pooling="mean") as scorer:
        for here, there in zip(vectors, scorer.embed([scorer.tokenize_whole(text) for text in TEXTS]), strict=True):
            assert float(here @ there) == pytest.approx(1, abs=1e-3)


def test_all_stages_know_that_it_writes_nothing(project: Project) -> None:
    code, out, err = assay("run", "small", "--json", project=project)
    assert code in (0, 1), err
    runs = {run["stage"]: run for run in json.loads(out)["models"][0]["runs"]}
    assert set(runs) == {"lint", "eval", "bench"}, runs
    assert assay("lint", "small", project=project)[0] == 0


def test_a_chat_model_s_door_says_what_to_do(assayed: Project) -> None:
    said: list[httpx.Response] = []

    def ask(service: Service) -> None:
        headers = {"Authorization": f"Bearer {service.key_file.read_text().strip()}"}
        said.append(httpx.post(f"{service.url}/v1/embeddings", json={"input": "Hello"}, headers=headers))
        raise KeyboardInterrupt

    session = Session(assayed)
    serve(session, session.current("small"), host="127.0.0.1", port=0, started=ask)
    assert said[0].status_code == 501 and "profile: embedding" in said[0].json()["error"]["message"]


def encoder(root: Path, profile: str, pooling: int) -> Session:
    """A project with a small bert."""
    for folder in ("specs", "models"):
        (root / folder).mkdir(parents=True)
    write_encoder(root / "models" / "bert.gguf", pooling)
    engine = f"{{context: {CONTEXT}, slots: 3, threads: 1}}"
    text = f"name: bert\nsource: file:../models/bert.gguf\nprofile: {profile}\nengine: {engine}\n"
    (root / "specs" / "bert.yaml").write_text(text)
    session = Session(Project(root))
    make_lock(session, "bert")
    return session


def asked(session: Session, path: str, body: dict[str, Any]) -> Any:
    """Serve, ask once as clients do, and once as a deployment does before it takes them."""
    answers: list[httpx.Response] = []

    def ask(service: Service) -> None:
        headers = {"Authorization": f"Bearer {service.key_file.read_text().strip()}"}
        answers.append(httpx.post(service.url + path, json=body, headers=headers, timeout=60))
        canary(service.backend)
        raise KeyboardInterrupt

    serve(session, session.current("bert"), host="127.0.0.1", port=0, started=ask)
    assert answers[0].status_code == 200, answers[0].text
    return answers[0].json()


def test_an_encoder_s_vectors_have_what_it_wants_around_a_text(tmp_path: Path) -> None:
    from pipeline.runtime.binding import Scorer

    session = encoder(tmp_path / "project", "embedding", CLS)
    texts = ["owls call at night", "the capital of france is paris", "an old tree stands there at night"]
    served = asked(session, "/v1/embeddings", {"input": texts})["data"]
    with Scorer(session.stored(session.current("bert")).weights, threads=1) as scorer:
        tokens = [scorer.tokenize_whole(text) for text in texts]
        assert [(one[0], one[-1]) for one in tokens] == [(101, 102)] * 3  # [CLS] and [SEP]
        for here, there in zip(served, scorer.embed(tokens), strict=True):
            assert len(here["embedding"]) == WIDTH
            assert float(np.dot(here["embedding"], there)) == pytest.approx(1, abs=1e-3)


def test_a_reranker_grades_texts(tmp_path: Path) -> None:
    session = encoder(tmp_path / "project", "rerank", RANK)
    said = asked(session, "/v1/rerank", {"query": "owls", "documents": ["owls call", "the capital", "an old tree"]})
    grades = [one["relevance_score"] for one in said["results"]]
    assert len(set(grades)) == 3 and grades == sorted(grades, reverse=True)
    assert {one["index"] for one in said["results"]} == {0, 1, 2}
