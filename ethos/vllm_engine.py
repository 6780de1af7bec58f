"""The engine for models that vLLM computes, on GPUs or CPUs: the same requests, answered by a server that the job itself starts.

vLLM is given tokens and gives tokens, so chat template, prefill, stops and thinking mean the same as in the embedded engine. A
completion depends on its request's own seed; vLLM draws other numbers than the embedded engine, so the same seed gives another text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoConfig, GenerationConfig

from ethos.chat_format import ChatFormat
from ethos.engine import Completion, Request, Score, ScoreRequest
from ethos.errors import BadInput
from ethos.files import read_json
from ethos.vllm_server import BASE, Loadable, VllmServer, end_servers, server_of

# The ranks that vLLM can be started for, from that of a merged persona on, so that one start serves all adapters of a student.
_RANKS = (128, 256, 320, 512)
# A request's body, without the model, and the one choice of its answer.
Ask = Callable[[dict[str, Any]], dict[str, Any]]
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class VllmEngine(ChatFormat):
    """Generates and scores with one model by vLLM.

    folder: a prepared model. adapter: a PEFT folder, or None. dtype: name of a torch dtype. device: `cpu` or `cuda`. batch_size: most
    rows that the server computes at once. The server is that of all engines of the model in this process; one that was ended
    meanwhile is started again. Raises BadInput when it does not start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        adapter: Path | None = None,
        dtype: str = "bfloat16",
        device: str = "cpu",
        batch_size: int = 32,
        trust_remote_code: bool = False,
        template_options: Mapping[str, Any] | None = None,
        thinking_tags: tuple[str, str] = ("<think>", "</think>"),
    ):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
        # As a model's own: from its file, or what its configuration says.
        has_file = (folder / "generation_config.json").is_file()
        generation = (
            GenerationConfig.from_pretrained(folder) if has_file else GenerationConfig.from_model_config(config)
        )
        super().__init__(folder, config, generation, template_options=template_options, thinking_tags=thinking_tags)
        self.folder, self.adapter, self.device, self.batch_size = folder, adapter, device, batch_size
        # No sampling defaults of the model's own, and nothing that an earlier request left.
        self.arguments = ["--dtype", dtype, "--generation-config", "vllm", "--no-enable-prefix-caching", "--seed", "0"]
        self.arguments += ["--trust-remote-code"] if trust_remote_code else []
        self.server()  # now, so that its start counts as loading

    # Requests

    def generate(self, requests: Sequence[Request], on_answer: Callable[[int, Completion], None]) -> None:
        """As in the embedded engine. `choices` of a request are all that the server lets the model say, thinking apart."""
        asked = []
        for index, request in enumerate(requests):
            prompt = self.tokens_of(request.messages, request.prefill)
            if self.is_too_long(request, prompt):
                on_answer(index, Completion("", "too_long", len(prompt), 0))
            else:
                asked.append((index, (request, prompt)))
        self._ask_all(self._complete, asked, on_answer)

    def _complete(self, ask: Ask, asked: tuple[Request, list[int]]) -> Completion:
        request, prompt = asked
        sampling = request.sampling
        body = {
            "prompt": prompt,
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "repetition_penalty": sampling.repetition_penalty,
            "seed": request.seed,
            "stop": list(request.stops),
            "stop_token_ids": sorted(self.ends),
            "return_token_ids": True,
        }
        if request.choices:
            body["structured_outputs"] = {"regex": self._allowed(request.choices, prompt)}
        return self.completion(request, prompt, ask(body)["token_ids"])

    def _allowed(self, choices: Sequence[str], prompt: Sequence[int]) -> str:
        """The regular expression of a whole reply that is one of the choices, behind what a reasoning model thinks first."""
        opening, closing = map(re.escape, self.thinking_tags)
        # Without the tag's first character, or the thought could go on behind its end.
        thought = rf"[^{re.escape(self.thinking_tags[1][0])}]*{closing}\s*"
        thought = thought if self.starts_thinking(prompt) else f"({opening}{thought})?"
        return f"{thought}({'|'.join(map(re.escape, choices))})"

    def score(self, requests: Sequence[ScoreRequest], on_answer: Callable[[int, Score], None]) -> None:
        """As in the embedded engine."""
        asked = []
        for index, request in enumerate(requests):
            prompt, response = self.tokens_of(request.messages), self.encode(request.response)
            if response:
                self.refuse_too_long(len(prompt) + len(response) + 1)  # vLLM wants room for a token more
                asked.append((index, (prompt, response)))
            else:
                on_answer(index, Score(0.0, 0))
        self._ask_all(self._score, asked, on_answer)

    def _score(self, ask: Ask, asked: tuple[list[int], list[int]]) -> Score:
        prompt, response = asked
        answer = ask({"prompt": prompt + response, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0})
        found = answer["prompt_logprobs"][len(prompt) :]
        values = [place[str(token)]["logprob"] for place, token in zip(found, response, strict=True)]
        return Score(math.fsum(values), len(values))

    # The server

    def _ask_all(
        self,
        answer: Callable[[Ask, Asked], Answer],
        asked: Sequence[tuple[int, Asked]],
        on_answer: Callable[[int, Answer], None],
    ) -> None:
        """Ask for all, so many at once that the server never waits; answers are told in this thread."""
        if not asked:
            return
        server = self.server()
        model = server.load_adapter(self.adapter) if self.adapter else BASE

        def ask(body: dict[str, Any]) -> dict[str, Any]:
            return server.ask("/v1/completions", {"model": model, **body})["choices"][0]

        with ThreadPoolExecutor(2 * self.batch_size) as pool:
            under_way = {pool.submit(answer, ask, item): index for index, item in asked}
            try:
                for future in as_completed(under_way):
                    on_answer(under_way[future], future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                end_servers()  # or the pool would wait for answers that nobody wants
                raise

    def server(self) -> VllmServer:
        """The running server of the model, or a new one. Raises BadInput when it does not start."""
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()  # what a model that was freed has left to torch is the server's to have
        place, adapters = self.folder.absolute(), loadable(self.adapter) if self.adapter else Loadable()
        return server_of(place, self.arguments, context=self.context, adapters=adapters, device=self.device)


def loadable(adapter: Path) -> Loadable:
    """What a server is to be started for. Raises BadInput for a rank that vLLM does not have."""
    config = read_json(adapter / "adapter_config.json")
    for offered in _RANKS:
        if config["r"] <= offered:
            return Loadable(offered, frozenset(name.rpartition(".")[2] for name in config["target_modules"]))
    raise BadInput(
        f"has rank {config['r']}, vLLM serves up to {_RANKS[-1]}; lower it, or use `engine: transformers`", path=adapter
    )
