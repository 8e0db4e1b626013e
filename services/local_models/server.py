"""The process of a local model: `python -m services.local_models.server`, which `zhiku up` starts and watches.

llama.cpp's own server inside, so that a crash of native code takes nothing else along. It listens on loopback, wants
the key of this start, and reaches out for nothing.
"""

import signal
import sys
from urllib.parse import urlsplit

from kbcore.errors import ConfigurationError, ZhikuError
from kbcore.settings import load_settings
from services.local_models.catalogue import RUNTIME
from services.local_models.registry import installed, model_file


def main() -> None:
    """Serve until SIGTERM or SIGINT. Ends with a line that says what is wrong if it can't."""
    try:
        serve()
    except ZhikuError as error:
        sys.exit(f"local model: {error.detail}")


def serve() -> None:
    """Load the model, say where it listens, wait for the signal to end. Raises `ConfigurationError`."""
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the library's threads, which inherit it
    try:
        import xllamacpp  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ConfigurationError(f"the package {RUNTIME} is missing") from None
    settings = load_settings()
    offer = installed(settings.home)
    address = urlsplit(settings.local_model.base_url)
    key = settings.local_model.api_key.get_secret_value()
    if offer is None or not address.port or not key:
        raise ConfigurationError("there is no model, no address or no key: `zhiku up` starts this process")
    given = xllamacpp.CommonParams()
    given.model.path = str(model_file(settings.home, offer))
    given.model_alias = {offer.name}
    given.hostnames = ["127.0.0.1"]
    given.port = address.port
    given.api_keys = [key]
    given.n_ctx = settings.local_model.context_tokens
    given.n_parallel = 1  # a context is shared out among parallel slots; more of them only wait for the same cores
    given.use_jinja = True
    given.offline = True
    given.ui = False
    given.verbosity = 2  # warnings: nothing about questions in the log
    threads = settings.local_model.working_threads
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(given)
    print(f"{offer.name} listens at {server.listening_address} with {threads} threads", flush=True)
    signal.sigwait(signals)


if __name__ == "__main__":
    main()
