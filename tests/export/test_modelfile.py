from __future__ import annotations

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.project import Project
from pipeline.export.modelfile import render
from pipeline.spec.modelfile import read_modelfile
from tests.export.models import model_of, named
from tests.projects import flip


def test_it_says_what_the_spec_says(project: Project) -> None:
    text = render(model_of(project))
    read = read_modelfile(text)
    assert read.sources == ("./small.gguf",)
    said = {parameter.name: parameter.value for parameter in read.parameters}
    assert (said["num_ctx"], said["temperature"], said["num_predict"], said["seed"]) == ("1024", "0.0", "16", "0")
    assert str(model_of(project).lock.digest) in text


def test_what_came_from_ollama_goes_back(project: Project) -> None:
    model = model_of(project, template="{{ .Prompt }}\n", system='Say "yes".')
    read = read_modelfile(render(model))
    assert (read.template, read.system) == ("{{ .Prompt }}\n", 'Say "yes".')


def test_a_licence_is_quoted_whole(project: Project) -> None:
    model = model_of(project, license="Do what you want.\nNo warranty.\n")
    assert read_modelfile(render(model)).licenses == ("Do what you want.\nNo warranty.\n",)


def test_the_same_lock_is_the_same_text(project: Project) -> None:
    assert render(model_of(project)) == render(model_of(project))


def test_a_text_that_is_none_is_refused(project: Project) -> None:
    from pipeline.store.layout import Store

    model = model_of(project)
    weights = model.lock.weights.model_copy(update={"role": "system"})
    lock = model.lock.model_copy(update={"files": (*model.lock.files, weights)})
    bad = type(model)(lock, model.layers)
    with pytest.raises(UsageError, match="no UTF-8 text"):
        render(bad)
    blob = Store(project.store).path(Digest.parse(weights.sha256))
    flip(blob)
    with pytest.raises(DigestMismatch, match=weights.sha256):
        render(bad)


def test_a_name_with_spaces_is_read_back(project: Project) -> None:
    assert read_modelfile(render(named(model_of(project), "a name (1).gguf"))).sources == ("./a name (1).gguf",)
