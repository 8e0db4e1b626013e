"""A model of your own in this process by transformers, for machines with a GPU. Needs the extra `local` (0.9 GB)."""

from collections.abc import Generator
from pathlib import Path
from queue import Empty
from threading import Event, Lock, Thread
from typing import Any

from kbcore.domain.document import Classification
from kbcore.errors import ConfigurationError, Unavailable
from kbcore.llm.interface import AnswerPart, AnswerRequest, Prompt, Usage
from kbcore.llm.prompt import answer_tokens, render


class TransformersModel:
    """`AnswerModel` over a folder with a chat model (safetensors, tokenizer with a chat template).

    Loads at first use and answers one question at a time: a second one waits. Nothing is downloaded, and no code that
    comes with a model is run. `timeout_s` is the longest wait for a turn and the longest silence.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str,
        device: str,
        allowed: Classification,
        context_tokens: int,
        timeout_s: float,
        prompts: Path,
        prompt: str = "answer",
    ) -> None:
        self._name = name
        self._folder = model
        self._device = device
        self._allowed = allowed
        self._context_tokens = context_tokens
        self._timeout_s = timeout_s
        self._prompts = prompts
        self._prompt = prompt
        self._turn = Lock()
        self._made: tuple[Any, Any] | None = None

    @property
    def name(self) -> str:
        """As configured in `[[llm.models]]`."""
        return self._name

    @property
    def allowed(self) -> Classification:
        """As configured: `max_classification`."""
        return self._allowed

    def prompt(self, request: AnswerRequest) -> Prompt:
        """The messages, which the model's own chat template joins."""
        return render(request, self._prompts, self._context_tokens, self._prompt)

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """Stream the model's words; closing the generator stops it at its next token."""
        if not self._turn.acquire(timeout=self._timeout_s):
            raise Unavailable(f"the model {self._name} is busy", code="model_unavailable")
        try:
            tokenizer, model = self._loaded()
            yield from self._written(request, tokenizer, model)
        finally:
            self._turn.release()

    def ping(self) -> None:
        """Return if its folder is there; it is loaded when it is first asked."""
        if not (Path(self._folder) / "config.json").is_file():
            raise Unavailable(f"the folder of the model {self._name} is not there", code="model_unavailable")

    def _written(self, request: AnswerRequest, tokenizer: Any, model: Any) -> Generator[AnswerPart, None, None]:
        limit = answer_tokens(request, self._context_tokens)
        run = _Run(tokenizer, model, self._timeout_s)
        run.start(self._encoded(request, tokenizer, model), limit, request)
        try:
            for text in run.pieces():
                if text:
                    yield AnswerPart(text=text)
        except _Silent:
            raise Unavailable(f"the model {self._name} does not answer", code="model_unavailable") from None
        finally:
            run.stop()
        if run.error:
            # What torch says may quote paths of this machine.
            raise Unavailable(f"the model {self._name} failed ({type(run.error).__name__})", code="model_unavailable")
        usage = Usage(run.read, run.written)
        yield AnswerPart(usage=usage, finish_reason="length" if run.written >= limit else "stop")

    def _encoded(self, request: AnswerRequest, tokenizer: Any, model: Any) -> Any:
        chat = [{"role": each.role, "content": each.content} for each in self.prompt(request).messages]
        encoded = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        return encoded.to(model.device)

    def _loaded(self) -> tuple[Any, Any]:
        if self._made is None:
            self._made = _load(self._name, self._folder, self._device)
        return self._made


class _Silent(Exception):
    """No word for too long."""


class _Run:
    """One generation in a thread of its own, whose words are read here."""

    def __init__(self, tokenizer: Any, model: Any, timeout_s: float) -> None:
        from transformers import TextIteratorStreamer  # noqa: PLC0415 (5 s)

        self._model = model
        self._streamer: Any = TextIteratorStreamer(
            tokenizer, skip_prompt=True, timeout=timeout_s, skip_special_tokens=True
        )
        self._tokenizer = tokenizer
        self._stopped = Event()
        self._thread: Thread | None = None
        self.error: Exception | None = None
        self.read = self.written = 0

    def start(self, encoded: Any, limit: int, request: AnswerRequest) -> None:
        """Begin; `limit` tokens at most."""
        self.read = int(encoded["input_ids"].shape[1])
        options: dict[str, Any] = {"max_new_tokens": limit, "do_sample": request.temperature > 0}
        if request.temperature > 0:
            options["temperature"] = request.temperature
        if request.stop:
            options |= {"stop_strings": list(request.stop), "tokenizer": self._tokenizer}
        self._thread = Thread(target=self._generate, args=(encoded, options), daemon=True)
        self._thread.start()

    def _generate(self, encoded: Any, options: dict[str, Any]) -> None:
        from transformers import StoppingCriteriaList  # noqa: PLC0415

        try:
            made = self._model.generate(
                **encoded,
                **options,
                streamer=self._streamer,
                stopping_criteria=StoppingCriteriaList([self._hung_up]),
            )
            self.written = int(made.shape[1]) - self.read
        except Exception as error:  # noqa: BLE001 (a thread's edge: whatever torch raises is reported by the reader)
            self.error = error
        finally:
            self._streamer.end()

    def _hung_up(self, ids: Any, _scores: Any, **_more: Any) -> Any:
        import torch  # noqa: PLC0415

        return torch.full((ids.shape[0],), self._stopped.is_set(), dtype=torch.bool, device=ids.device)

    def pieces(self) -> Generator[str, None, None]:
        """The words as they come. Raises `_Silent`."""
        try:
            yield from self._streamer
        except Empty:
            raise _Silent from None
        if self._thread:
            self._thread.join()

    def stop(self) -> None:
        """End it, and wait until it has ended: the next question shall have the machine to itself."""
        self._stopped.set()
        if self._thread:
            self._thread.join()


def _load(name: str, folder: str, device: str) -> tuple[Any, Any]:
    try:
        import torch  # noqa: PLC0415
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            f"llm.models: {name} has the provider `transformers`, which needs torch: pip install 'zhiku[local]'"
        ) from None
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    given = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **given)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", use_safetensors=True, **given)
        model = model.to(where).eval()
    except (OSError, ValueError, RuntimeError) as error:
        raise Unavailable(
            f"the model {name} cannot be loaded ({type(error).__name__}); `model` must be a folder with safetensors",
            code="model_unavailable",
        ) from error
    if not tokenizer.chat_template:
        raise Unavailable(f"the model {name} has no chat template: it is no chat model", code="model_unavailable")
    return tokenizer, model
