"""A flow called in this process: what ``flow test``, the Python API and chat use."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from penstock.aio import run_sync
from penstock.connections.redact import Redactor
from penstock.connections.resolve import Connections
from penstock.engine.aggregate import Aggregation, Columns, aggregate
from penstock.engine.bind import bind
from penstock.engine.execute import execute
from penstock.engine.failure import failure_of
from penstock.engine.host import Host, LoopHost, ThreadHost, drive
from penstock.engine.program import Program
from penstock.engine.single import call_node
from penstock.engine.streams import AnyStream, Stream
from penstock.errors import LoadError, ToolError
from penstock.graph.flow import Flow
from penstock.models.pool import Models
from penstock.prompts.image import OWN_FOLDER_ONLY, ImageRules
from penstock.records import LineResult, NodeRun
from penstock.tools.builtin.session import Session, using
from penstock.tools.isolation import Isolation, NoIsolation
from penstock.tracing.commit import Commit

_END = object()


class Inline:
    """A bound flow in this process, bound when it is first called.

    Args:
        flow: A loaded flow.
        connections: Where its connections are looked up.
        models: Where its models come from.
        environment: Variables to set while its code runs.
        node_concurrency: Nodes of one call that may run at once.
        isolated: Run its code in its own folder, with its own modules; off for functions of the program itself.
        images: From where images among its inputs may be read.
    """

    def __init__(
        self,
        flow: Flow,
        *,
        connections: Connections,
        models: Models,
        environment: Mapping[str, str] | None = None,
        node_concurrency: int = 16,
        isolated: bool = True,
        images: ImageRules = OWN_FOLDER_ONLY,
    ) -> None:
        self.flow = flow
        self.folder = Path(flow.source.file).parent
        self._connections = connections
        self._models = models
        self._images = images
        isolation = Isolation(self.folder, environment, modules=flow.loaded) if isolated else NoIsolation()
        self._isolation: Isolation | NoIsolation = isolation
        self._commit = Commit(folder=self.folder)
        self._session = Session(models, connections, flow.pins, commit=self._commit)
        self._pool = ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1)) + node_concurrency, "penstock-node")
        self._node_concurrency = node_concurrency
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The bound flow.

        Raises:
            LoadError: It cannot run.
        """
        if self._program is None:
            with self._isolation.importing(), using(self._session):
                self._program = self._program or self._bound()
        return self._program

    def _bound(self) -> Program:
        self._commit.begin()
        try:
            return bind(self.flow, connections=self._connections, models=self._models, images=self._images)
        except LoadError as error:
            # What the flow's code raised while it was imported is in the sentence.
            error.message = self.redactor().text(error.message)
            error.args = (error.message,)
            raise

    def redactor(self) -> Redactor:
        """Takes the secrets known so far out of text."""
        return self._connections.redactor()

    def call(self, values: Mapping[str, Any], *, streaming: bool = False, live: bool = False) -> LineResult:
        """Run the flow once; a failure is in the result. May be called from several threads at once.

        With ``streaming`` generators among the outputs are left to the caller to consume; with ``live`` the outputs may be
        any objects.
        """
        program = self.program
        with self._surroundings():
            if program.blocking:
                result: LineResult = drive(
                    execute(program, values, self._thread_host(), streaming=streaming, live=live)
                )
                return result
            return run_sync(execute(program, values, self._loop_host(), streaming=streaming, live=live))

    async def call_async(self, values: Mapping[str, Any], *, streaming: bool = False, live: bool = False) -> LineResult:
        """The same for a caller with an event loop of its own: calls run side by side on it."""
        # The flow's code is imported in a thread: the caller's loop has other things to do.
        program = self._program
        if program is None:
            program = await asyncio.to_thread(lambda: self.program)
        with self._surroundings():
            return await execute(program, values, self._loop_host(), streaming=streaming, live=live)

    def pieces(self, stream: AnyStream) -> Iterator[Any]:
        """Consume a stream that ``call`` left, in the flow's surroundings.

        Raises:
            PenstockError: What the stream's own code raised, as a sentence.
        """
        source = iter(stream) if hasattr(stream, "__iter__") else _bridge(stream)
        while True:
            try:
                with self._surroundings():
                    piece = next(source)
            except StopIteration:
                return
            except (Exception, SystemExit) as error:
                failure = failure_of(error, redactor=self.redactor)
                raise ToolError(failure.message, code=failure.kind) from error
            yield piece

    async def pieces_async(self, stream: AnyStream) -> AsyncIterator[Any]:
        """``pieces`` for a caller with an event loop; a plain generator, which may block, runs in a thread.

        Raises:
            PenstockError: What the stream's own code raised, as a sentence.
        """
        if isinstance(stream, Stream):
            plain = self.pieces(stream)
            while (found := await asyncio.to_thread(next, plain, _END)) is not _END:
                yield found
            return
        while True:
            try:
                with self._surroundings():
                    piece = await anext(stream)
            except StopAsyncIteration:
                return
            except (Exception, SystemExit) as error:
                failure = failure_of(error, redactor=self._connections.redactor)
                raise ToolError(failure.message, code=failure.kind) from error
            yield piece

    def aggregate(self, result: LineResult) -> Aggregation:
        """Run the aggregation nodes over one completed call, with lists of one element."""
        program = self.program
        columns = Columns(
            {name: [value] for name, value in (result.inputs or {}).items()},
            {run.node: [run.output] for run in result.nodes},
            1,
        )
        with self._surroundings():
            return run_sync(aggregate(program, columns, self._loop_host()))

    def call_node(self, name: str, values: Mapping[str, Any]) -> NodeRun:
        """Run one node with the given flow inputs, node inputs and outputs of other nodes.

        Raises:
            UsageError: There is no such node.
            InputError: A value that it needs is not given.
        """
        with self._surroundings():
            return run_sync(
                call_node(
                    self.flow, name, values, connections=self._connections, models=self._models, host=self._loop_host()
                )
            )

    @contextlib.contextmanager
    def _surroundings(self) -> Generator[None]:
        with self._isolation.active(), using(self._session):
            yield

    def close(self) -> None:
        """Free threads and connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        run_sync(self._models.close())

    def _thread_host(self) -> Host:
        return ThreadHost(self._node_concurrency, self._pool)

    def _loop_host(self) -> Host:
        return LoopHost(self._pool, self._node_concurrency)


def _bridge(stream: Any) -> Iterator[Any]:
    async def step() -> tuple[Any] | None:
        try:
            return (await stream.__anext__(),)
        except StopAsyncIteration:
            return None

    while (found := run_sync(step())) is not None:
        yield found[0]
