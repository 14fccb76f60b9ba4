"""Recurrent cells, written out step by step: a reference to read, equal to torch's.

They take the weights of torch's modules, so that one trained either way runs the other way.
"""

import torch
from torch import nn

Cells = nn.RNN | nn.LSTM | nn.GRU
State = torch.Tensor | tuple[torch.Tensor, torch.Tensor]


def rnn_step(
    from_input: torch.Tensor, from_state: torch.Tensor, state: torch.Tensor
) -> torch.Tensor:
    """One step of Elman's network (1990): h' = tanh(W x + b + U h + c).

    Args:
        from_input: W x + b, shape (batch, hidden).
        from_state: U h + c, likewise.
        state: h, which is not needed beside `from_state`.
    """
    return torch.tanh(from_input + from_state)


def gru_step(
    from_input: torch.Tensor, from_state: torch.Tensor, state: torch.Tensor
) -> torch.Tensor:
    """One step of a gated recurrent unit (Cho et al. 2014), as torch computes it.

    Args:
        from_input: of the reset gate, the update gate and the candidate, shape (batch, 3 hidden).
        from_state: likewise.
        state: h, shape (batch, hidden).
    """
    reset_x, update_x, new_x = from_input.chunk(3, dim=1)
    reset_h, update_h, new_h = from_state.chunk(3, dim=1)
    reset, update = torch.sigmoid(reset_x + reset_h), torch.sigmoid(update_x + update_h)
    candidate = torch.tanh(new_x + reset * new_h)
    return (1 - update) * candidate + update * state


def lstm_step(
    from_input: torch.Tensor, from_state: torch.Tensor, memory: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    Args:
        from_input: of the gates (in, forget, new, out), shape (batch, 4 hidden).
        from_state: likewise.
        memory: the cell's memory, shape (batch, hidden).

    Returns:
        The state and the memory after the step.
    """
    written, kept, new, shown = (from_input + from_state).chunk(4, dim=1)
    memory = torch.sigmoid(kept) * memory + torch.sigmoid(written) * torch.tanh(new)
    return torch.sigmoid(shown) * torch.tanh(memory), memory


def unroll(cells: Cells, inputs: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
    """Run the layers of a torch module step by step.

    Args:
        cells: one direction, `batch_first`.
        inputs: shape (batch, time, features).
        state: what an earlier call answered; zeros if there was none.

    Returns:
        Outputs, shape (batch, time, hidden), and the state after the last step, as torch's module
        answers: shape (layers, batch, hidden), of an LSTM a pair.
    """
    if state is None:
        zeros = inputs.new_zeros(cells.num_layers, len(inputs), cells.hidden_size)
        state = (zeros, zeros) if isinstance(cells, nn.LSTM) else zeros
    pairs = list(zip(*state, strict=True)) if isinstance(state, tuple) else [(it,) for it in state]
    ended = []
    for layer, carried in enumerate(pairs):
        if layer and cells.dropout and cells.training:
            inputs = nn.functional.dropout(inputs, cells.dropout)
        inputs, carried = _unroll_layer(cells, layer, inputs, carried)
        ended.append(carried)
    stacked = tuple(torch.stack(it) for it in zip(*ended, strict=True))
    return inputs, stacked if len(stacked) == 2 else stacked[0]


def detach(state: State) -> State:
    """The same state, through which no gradient flows."""
    if isinstance(state, torch.Tensor):
        return state.detach()
    hidden, memory = state
    return hidden.detach(), memory.detach()


def _unroll_layer(
    cells: Cells, layer: int, inputs: torch.Tensor, carried: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    w_input, w_state, b_input, b_state = (
        getattr(cells, f"{name}_l{layer}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    outputs = []
    for from_input in nn.functional.linear(inputs, w_input, b_input).unbind(1):
        from_state = nn.functional.linear(carried[0], w_state, b_state)
        if isinstance(cells, nn.LSTM):
            carried = lstm_step(from_input, from_state, carried[1])
        else:
            step = gru_step if isinstance(cells, nn.GRU) else rnn_step
            carried = (step(from_input, from_state, carried[0]),)
        outputs.append(carried[0])
    return torch.stack(outputs, dim=1), carried
