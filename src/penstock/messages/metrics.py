"""Metrics as a person reads them."""


def describe_metrics(metrics: dict[str, float]) -> str:
    """Metrics on one line, an interval behind its metric."""
    named = [name for name in metrics if not name.endswith(("_low", "_high"))]
    return ", ".join(describe_metric(name, metrics) for name in named)


def describe_metric(name: str, metrics: dict[str, float]) -> str:
    """One metric, with its interval if there is one."""
    value = metrics[name]
    text = f"{name} {value:,}" if isinstance(value, int) else f"{name} {value:.4f}"
    if f"{name}_low" in metrics:
        text += f" ({metrics[f'{name}_low']:.4f} to {metrics[f'{name}_high']:.4f})"
    return text
