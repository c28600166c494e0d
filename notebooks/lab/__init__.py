"""What the notebook `broadcast_latency.ipynb` is made of, apart from its story.

| module | what it holds |
|---|---|
| `parameters` | how much is measured, from the environment |
| `places` | where results may go |
| `experiments` | the measurements, on the servers and the load generator of `bench` |
| `samples` | every sample as CSV, and back |
| `analysis` | percentiles, intervals, the straight line, the knee: the summary |
| `figures` | the figures, one visual language for all |
| `words` | the sentences that the data decides |
| `russian` | numbers as Russian readers write them |
| `results` | the files: summary, samples, figures, all of one run |
"""
