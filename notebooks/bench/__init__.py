"""A benchmark of chat servers on one machine, side by side: `python notebooks/bench`.

| module | what it holds |
|---|---|
| `servers` | how each server is started and stopped |
| `launch` | a server with one thing changed: batches of one, `TCP_NODELAY` off, a longer queue |
| `processors` | a processor for the server, one for the load generator; how busy they were |
| `forwarder`, `asyncio_chat`, `asyncio_batches` | three servers to compare with |
| `command` | their command line |
| `dialects`, `users` | what a simulated user says, and how many of them join |
| `load`, `settings` | the load generator, a process of its own, and what it can be told |
| `single`, `rate`, `saturation`, `attacks` | its modes |
| `stats` | percentiles and tables |
| `measurement` | one run: `measure`, for the notebook, and what it needs |
| `suite` | which cases the command measures, and in which order |
| `tables` | the tables of their results, and the goals |
"""

from bench.measurement import MeasurementError, Run, measure

__all__ = ["MeasurementError", "Run", "measure"]
