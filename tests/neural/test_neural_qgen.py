"""A generator of questions by a model: trained, loaded, asked, and its questions found, all in the real formats."""

import json
import shutil

import pytest

from xsearch.core import BadInput, Document, UsageError
from xsearch.core.data import data_path

pytestmark = pytest.mark.neural

torch = pytest.importorskip("torch", reason="uv pip install -e '.[neural]'")

from neural.tiny_models import mt5, xlmr  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import xsearch  # noqa: E402
from xsearch.cli.app import app  # noqa: E402
from xsearch.encode import Runtime  # noqa: E402
from xsearch.engine.augmentation import augment  # noqa: E402
from xsearch.engine.recipe import AugmentSettings, Recipe  # noqa: E402
from xsearch.generate import SourcePassage  # noqa: E402
from xsearch.generate.model import SETTINGS_FILE, load_model_generator, read_settings  # noqa: E402
from xsearch.train.neural.loop import FAILED, STATE  # noqa: E402
from xsearch.train.neural.qgen import QgenRecipe, Schedule, load_qgen_recipe, read_examples, train_qgen  # noqa: E402

CPU = Runtime("cpu", "fp32")
EXAMPLES = [
    ("The river flooded the old town.", "welcher fluss", "de"),
    ("Prices of wheat rose again.", "was kostet brot", "de"),
    ("The river flooded the old town.", "what flooded", "en"),
    ("Prices of wheat rose again.", "price of wheat", "en"),
]


@pytest.fixture(scope="module")
def base(models):
    return mt5(models / "mt5-qgen", trainable=True)


@pytest.fixture(scope="module")
def data(models):
    folder = models / "qgen-data"
    folder.mkdir()
    lines = [json.dumps({"passage": p, "query": q, "query_lang": lang}) for p, q, lang in EXAMPLES]
    (folder / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def recipe(base, steps=2, **others):
    schedule = Schedule(steps=steps, learning_rate=others.pop("rate", 5e-3), warmup=0.05, weight_decay=0.0)
    return QgenRecipe("toy", schedule, str(base), batch=4, **others)


@pytest.fixture(scope="module")
def trained(base, data, models):
    """Fitted to one of its two passages until it knows what is asked of it by heart; the other is held out."""
    done = train_qgen(recipe(base, 180), data, models / "qgen-trained", CPU)
    assert done.examples == {"de": 2, "en": 2}
    return done.folder


def test_a_trained_generator_writes_what_it_learnt_in_the_language_it_is_asked_for(trained):
    generator = load_model_generator(trained, CPU)
    assert generator.speaks("de")
    assert not generator.speaks("fa")
    passages = [SourcePassage(number, text, "", "en") for number, text in enumerate({p for p, _, _ in EXAMPLES})]
    learnt = 0
    for lang in ("de", "en"):
        for passage, questions in zip(passages, generator.generate(passages, lang, 5, 0), strict=True):
            assert len(questions) == 5
            known = [q for p, q, spoken in EXAMPLES if p == passage.text and spoken == lang]
            learnt += sum(question.text in known for question in questions)
    # Half of the examples were learnt from, the others kept from training.
    assert learnt >= 8


def test_the_same_seed_draws_the_same_questions_and_another_others(models):
    generator = load_model_generator(mt5(models / "mt5-random"), CPU)
    passages = [SourcePassage(3, "The river flooded.", "", "en"), SourcePassage(4, "A short one.", "Title", "en")]
    before = torch.get_rng_state()
    first = generator.generate(passages, "de", 3, 1)
    assert generator.generate(passages, "de", 3, 1) == first
    assert generator.generate(passages, "de", 3, 2) != first
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_that_do_not_fit_are_halved(models, monkeypatch, caplog):
    generator = load_model_generator(mt5(models / "mt5-halved"), CPU)
    passages = [SourcePassage(n, f"The river flooded {'again ' * (n % 3)}.", "", "en") for n in range(9)]
    write, sizes, holds = generator.network[0].generate, [], 8

    def small(**given):
        sizes.append(len(given["input_ids"]) * given["num_return_sequences"])
        if sizes[-1] > holds:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return write(**given)

    monkeypatch.setattr(generator.network[0], "generate", small)
    made = generator.generate(passages, "de", 2, 1)
    assert [len(questions) for questions in made] == [2] * 9
    assert sizes[0] == 18
    assert sum(size for size in sizes if size <= holds) == 18
    assert "out of memory" in caplog.text
    # What was seen once is known from then on.
    sizes.clear()
    assert generator.generate(passages, "de", 2, 1)
    assert max(sizes) <= holds
    holds = 1
    with pytest.raises(BadInput, match="not enough memory for a single text"):
        generator.generate(passages, "de", 2, 1)


def test_an_index_is_augmented_by_a_model_and_found_by_what_it_wrote(trained, tmp_path):
    made = Recipe("test", retrievers=("bm25",))
    with xsearch.create(tmp_path / "idx", recipe=made) as index, index.writer() as writer:
        for number, text in enumerate(dict.fromkeys(p for p, _, _ in EXAMPLES)):
            writer.add(Document(str(number), text, lang="en"))
    generator = load_model_generator(trained, CPU)
    settings = AugmentSettings(str(trained), ("de",), count=4)
    report = augment(tmp_path / "idx", generator, settings)
    assert report.questions >= 1
    with xsearch.open(tmp_path / "idx") as index:
        (count,) = index.snapshot.store.questions.counts()
        assert count.generator.fingerprint == generator.fingerprint
        assert json.loads(count.generator.settings)["prompt"].startswith("Generate a {lang} question")
        question = index.snapshot.store.questions.between(0, 9)[0]
        found = index.search(question.text, lang="de", retrievers=["generated"])
        assert str(question.passage) in [hit.id for hit in found]


def test_a_run_that_was_cut_short_goes_on_to_the_same_weights(base, data, tmp_path):
    whole = train_qgen(recipe(base, 6), data, tmp_path / "whole", CPU)

    class Stop(Exception):
        pass

    import xsearch.train.neural.qgen as module

    original, calls = module._loss, []

    def dies(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments)

    module._loss = dies
    try:
        with pytest.raises(KeyboardInterrupt):
            train_qgen(recipe(base, 6), data, tmp_path / "parts", CPU)
    finally:
        module._loss = original
    assert (tmp_path / "parts" / "toy.work" / STATE).is_file()
    rest = train_qgen(recipe(base, 6), data, tmp_path / "parts", CPU)
    read = [(done.folder / "model.safetensors").read_bytes() for done in (whole, rest)]
    assert read[0] == read[1]
    assert not (tmp_path / "parts" / "toy.work").exists()


def test_a_recipe_is_tried_from_a_network_that_knows_nothing(data, tmp_path, monkeypatch):
    held = tmp_path / "held.jsonl"
    held.write_text('{"id": "1", "text": "Nothing of this is learnt."}\n')
    tried = ["train", "qgen", "--toy", "--data", str(data), "--exclude", str(held), "--device", "cpu", "--steps", "6"]
    done = CliRunner().invoke(app, [*tried, "--out", str(tmp_path / "whole")])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "whole" / "qgen-mt5-toy"
    assert list((tmp_path / "whole").iterdir()) == [folder]
    generator = load_model_generator(folder, CPU)
    assert generator.speaks("de")
    assert not generator.speaks("fa")
    (questions,) = generator.generate([SourcePassage(0, "The river flooded the old town.", "", "en")], "de", 3, 0)
    assert len(questions) == 3
    # What its pieces spell is read as it was written, but for capitals and signs.
    _, tokenizer = generator.network
    spelled = tokenizer("What flooded the old town?")["input_ids"]
    assert tokenizer.decode(spelled, skip_special_tokens=True) == "what flooded the old town"

    import xsearch.train.neural.qgen as module

    original, calls = module._loss, []

    def dies(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_loss", dies)
        assert CliRunner().invoke(app, [*tried, "--out", str(tmp_path / "parts")]).exit_code != 0
    assert (tmp_path / "parts" / "qgen-mt5-toy.work" / STATE).is_file()
    assert CliRunner().invoke(app, [*tried, "--out", str(tmp_path / "parts")]).exit_code == 0
    same = [(tmp_path / out / "qgen-mt5-toy" / "model.safetensors").read_bytes() for out in ("whole", "parts")]
    assert same[0] == same[1]


def test_training_refuses_what_it_cannot_learn_from(base, data, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(BadInput, match="no examples"):
        train_qgen(recipe(base), tmp_path, tmp_path / "out", CPU)
    (tmp_path / "wrong.jsonl").write_text('{"passage": "a", "query": " ", "query_lang": "de"}\n')
    with pytest.raises(BadInput, match=r"wrong\.jsonl:1: an example needs 'query'"):
        train_qgen(recipe(base), tmp_path, tmp_path / "out", CPU)
    with pytest.raises(UsageError, match="Name it with --base, or try the recipe with --toy"):
        train_qgen(recipe(""), data, tmp_path / "out", CPU)
    with pytest.raises(BadInput, match="is no generator of questions"):
        train_qgen(recipe(xlmr(tmp_path / "xlmr")), data, tmp_path / "out", CPU)
    # Evaluation text is left out; where that is all there is, nothing is learnt.
    (data / "topics.jsonl.test").write_text('{"id": "1", "text": "WHAT flooded?"}\n', encoding="utf-8")
    done = train_qgen(recipe(base, 1, exclude=("*.test",)), data, tmp_path / "out", CPU)
    assert (done.excluded, done.examples) == (1, {"de": 2, "en": 1})
    # A file of its own, by its path; and the collection that ships, named or not.
    named = recipe(base, 1, exclude=(str((data / "topics.jsonl.test").resolve()),))
    assert read_examples(named, data)[1] == 1
    shipped = json.loads((data_path("eval") / "collections" / "demo" / "topics.jsonl").read_text().splitlines()[0])
    taken = {"passage": "Where it is said.", "query": shipped["text"], "query_lang": shipped["lang"]}
    (tmp_path / "only.jsonl").write_text(json.dumps(taken))
    with pytest.raises(BadInput, match="all are evaluation text"):
        read_examples(recipe(base, sources=("only.jsonl",)), tmp_path)
    with pytest.raises(BadInput, match=r"no file matches 'eval/\*'.*--exclude FILE"):
        read_examples(recipe(base, exclude=("eval/*",)), data)


def test_a_loss_that_is_no_number_stops_the_run_with_its_batch(base, data, tmp_path):
    with pytest.raises(BadInput, match="its batch is in"):
        train_qgen(recipe(base, 30, rate=1e30), data, tmp_path / "out", CPU)
    kept = json.loads((tmp_path / "out" / "toy.work" / FAILED).read_text())
    assert kept["batches"][0][0]["query"] in {q for _, q, _ in EXAMPLES}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ('{"prompt": "ask about {passage}"}', r"needs \{lang\} and \{passage\}"),
        ('{"prompt": "{lang} {passage} {secret}"}', "knows nothing else"),
        ('{"temperature": 0}', "temperature is above 0"),
    ],
)
def test_settings_that_are_wrong_are_named(tmp_path, content, message):
    (tmp_path / SETTINGS_FILE).write_text(content)
    with pytest.raises(BadInput, match=message):
        read_settings(tmp_path)


def test_pickled_weights_are_refused(base, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(UsageError, match="could run code"):
        load_model_generator(folder, CPU)


def test_the_recipe_that_ships_is_read():
    from pathlib import Path

    assert load_qgen_recipe(Path("qgen-mt5")).asked.question_tokens == 64
