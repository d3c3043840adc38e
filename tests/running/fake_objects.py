"""An object store in memory that can be told to misbehave: at which request, how, and for how long."""

from collections.abc import Callable
from typing import Any

from fsspec.implementations.memory import MemoryFileSystem

REQUESTS = ("cat_file", "put_file", "rm_file", "ls", "find")


class Objects(MemoryFileSystem):
    """Counts its requests; `trouble` is called with the number of each and raises what is to go wrong.

    `late`: what is written is there, though the answer is not.
    """

    def __init__(self) -> None:
        super().__init__(global_store=False)
        self.asked: list[str] = []
        self.trouble: Callable[[int], None] = lambda number: None
        self.cut = -1  # the number of the request whose answer ends early
        self.late = False

    def _request(self, name: str, *args: Any, **kwargs: Any) -> Any:
        number = len(self.asked)
        self.asked.append(name)
        if not self.late:
            self.trouble(number)
        try:
            answer = getattr(super(), name)(*args, **kwargs)
        finally:
            if self.late:
                self.trouble(number)
        return answer[: len(answer) // 2] if number == self.cut and isinstance(answer, bytes) else answer

    def cat_file(self, *args: Any, **kwargs: Any) -> Any:
        return self._request("cat_file", *args, **kwargs)

    def put_file(self, *args: Any, **kwargs: Any) -> Any:
        return self._request("put_file", *args, **kwargs)

    def rm_file(self, *args: Any, **kwargs: Any) -> Any:
        return self._request("rm_file", *args, **kwargs)

    def ls(self, *args: Any, **kwargs: Any) -> Any:
        return self._request("ls", *args, **kwargs)

    def find(self, *args: Any, **kwargs: Any) -> Any:
        return self._request("find", *args, **kwargs)

    def reset(self) -> None:
        """Forget all objects and requests."""
        self.store.clear()
        self.pseudo_dirs[:] = [""]
        self.asked.clear()

    @property
    def objects(self) -> dict[str, bytes]:
        """What it holds, by path."""
        return {path: file.getvalue() for path, file in self.store.items()}


def drop(numbers: Callable[[int], bool], error: type[Exception] = TimeoutError) -> Callable[[int], None]:
    """Trouble at the requests of these numbers."""

    def trouble(number: int) -> None:
        if numbers(number):
            raise error("the connection was lost")

    return trouble
