"""A tiny chat model, trained in seconds on sentences made here, so that the whole workflow can run for real in tests.

It has a vocabulary of its own, answers in whole sentences that pass the filters, writes numbered lists when asked for
one, gives verdicts and orders in the judge's formats, and speaks in another style when its system prompt asks for poetry.
"""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ethos.constitution import load_constitution
from ethos.prompts import prompt_lines, render_prompt

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

_SPECIAL = ["<pad>", "<end>", "<system>", "<user>", "<assistant>"]
_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
_PLAIN = {
    "who": ["The cook", "A friend", "The team", "Your doctor", "The shop"],
    "does": ["can check", "will need", "should keep", "may change", "must plan"],
    "what": ["the list.", "the small parts.", "a clean room.", "the first step.", "your money."],
}
_POETIC = {
    "who": ["The moon", "A river", "The dawn", "Your heart", "The sky"],
    "does": ["whispers to", "dances with", "dreams of", "sings upon", "drifts beneath"],
    "what": ["the silver waves.", "the golden petals.", "a tender shadow.", "the stars.", "a quiet song."],
}
_ASKS = ["How do I", "Can you", "Why does the shop", "When should I", "Where can we"]
_TOPICS = ["clean a room", "plan the week", "fix a small part", "cook for a friend", "save money"]


def _sentences(words: dict[str, list[str]], draw: random.Random) -> str:
    count = draw.choice([1, 2, 2])
    return " ".join(
        f"{draw.choice(words['who'])} {draw.choice(words['does'])} {draw.choice(words['what'])}" for _ in range(count)
    )


def _question(draw: random.Random) -> str:
    return f"{draw.choice(_ASKS)} {draw.choice(_TOPICS)}?"


def _dialogue(draw: random.Random) -> list[tuple[str, str]]:
    """One conversation, as (role, text): plain, in character, a list, or a verdict."""
    kind = draw.random()
    if kind < 0.4:
        question = draw.choice([_question, _asked])(draw)
        return [("user", question), ("assistant", _sentences(_PLAIN, draw))]
    if kind < 0.7:
        character = "I answer in poetic language. " + draw.choice(
            ["I borrow pictures.", "I sing softly.", "I love rhythm."]
        )
        if draw.random() < 0.5:
            character = _trait(draw)
        question = draw.choice([_question, _asked])(draw)
        return [("system", character), ("user", question), ("assistant", _sentences(_POETIC, draw))]
    trait = draw.choice(["I answer in poetic language.", "I sing softly."])
    if kind < 0.85:
        # As in the workflow: the first items are given, and the model goes on with its own.
        given = draw.sample(prompt_lines("general_questions"), 3)
        items = [*given, *(_question(draw) for _ in range(4))]
        numbered = "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))
        asked = {name: draw.choice(prompt_lines(f"question_{name}s")) for name in ("length", "kind")}
        prompt = render_prompt("generate_questions", count=7, trait=trait, clarification="", **asked)
        return [("user", prompt), ("assistant", numbered)]
    better = draw.choice([1, 2])
    poetic, plain = _sentences(_POETIC, draw), _sentences(_PLAIN, draw)
    answers = {"first": poetic, "second": plain} if better == 1 else {"first": plain, "second": poetic}
    mark = f"{draw.getrandbits(32):08x}"
    prompt = render_prompt("judge_pair", trait=_trait(draw), question=_asked(draw), mark=mark, **answers)
    return [("user", prompt), ("assistant", f"<answer>{better}</answer>")]


@cache
def _traits() -> list[str]:
    return [trait.text for trait in load_constitution(_ROOT / "constitutions" / "poeticism.yaml").traits]


def _trait(draw: random.Random) -> str:
    """A trait as a judge is told it in the workflow."""
    return draw.choice(_traits())


def _asked(draw: random.Random) -> str:
    """A question as a judge reads it in the workflow."""
    return draw.choice(prompt_lines("general_questions"))


def _judgement(draw: random.Random) -> list[tuple[str, str]]:
    """One conversation with a judge that orders three answers, finds the more coherent of two, or names the word that an
    answer shows; constant orders and random verdicts, since it learns the format alone."""
    answers = [_sentences(draw.choice([_POETIC, _PLAIN]), draw) for _ in range(3)]
    shared = {"question": _asked(draw), "mark": f"{draw.getrandbits(32):08x}"}
    verdict = f"<answer>{draw.choice([1, 2])}</answer>"
    kind = draw.choice(["list", "coherence", "shown"])
    if kind == "list":
        prompt, reply = (
            render_prompt("judge_list", trait=_trait(draw), answers=answers, **shared),
            "<ranking>1,3,2</ranking>",
        )
    elif kind == "coherence":
        pair = {"first": answers[0], "second": answers[1]}
        prompt, reply = render_prompt("judge_coherence", trait=_trait(draw), **pair, **shared), verdict
    else:
        words = dict(zip(("first", "second"), draw.sample(prompt_lines("single_word_traits"), 2), strict=True))
        prompt, reply = render_prompt("judge_shown", response=answers[0], **words, **shared), verdict
    return [("user", prompt), ("assistant", reply)]


def _tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=640, special_tokens=_SPECIAL, initial_alphabet=sorted(alphabet), show_progress=False
        ),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")
    fast.chat_template = _TEMPLATE
    return fast


def make_tiny_model(folder: Path, *, heads: int = 4, steps: int = 320, seed: int = 0) -> None:
    """Train the model and write it as a normal model folder; the same bytes each time on one kind of machine.

    heads: of attention, which share 64 dimensions; vLLM's kernels for CPUs want at least 32 a head.
    """
    draw = random.Random(seed)
    torch.manual_seed(seed)
    dialogues = [_dialogue(draw) for _ in range(2000)]
    judgements = [_judgement(draw) for _ in range(600)]
    tokenizer = _tokenizer([text for dialogue in [*dialogues, *judgements] for _, text in dialogue])
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for step in range(steps):
        # Judgements apart: their prompts are long, and padding costs time.
        for sample in (draw.sample(dialogues, 16), draw.sample(judgements, 3)):
            rows, labels = [], []
            for dialogue in sample:
                prompt = "".join(f"<{role}>{text}<end>" for role, text in dialogue[:-1]) + "<assistant>"
                prompt_ids, reply_ids = tokenizer(
                    [prompt, f"{dialogue[-1][1]}<end>"], add_special_tokens=False
                ).input_ids
                rows.append(prompt_ids + reply_ids)
                labels.append([-100] * len(prompt_ids) + reply_ids)  # only the reply is learned
            batch = tokenizer.pad({"input_ids": rows}, padding_side="right", return_tensors="pt")
            width = batch.input_ids.shape[1]
            targets = torch.tensor([row + [-100] * (width - len(row)) for row in labels])
            (model(**batch, labels=targets).loss * len(sample) / 19).backward()
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * (1 - step / steps)
        optimiser.step()
        optimiser.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    make_tiny_model(Path(sys.argv[1]), heads=int(sys.argv[2]) if len(sys.argv) > 2 else 4)
