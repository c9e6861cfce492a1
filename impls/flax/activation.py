"""Activations that neither ``nnx`` nor ``jax.nn`` has. A page to copy from."""

import jax
import jax.numpy as jnp


def softplus(x: jax.Array, beta: float) -> jax.Array:
    """``log(1 + exp(beta x)) / beta``, and x where ``beta x`` may overflow."""
    return jnp.where(beta * x > 40, x, jax.nn.softplus(beta * x) / beta)


def tanhshrink(x: jax.Array) -> jax.Array:
    """``x - tanh(x)``."""
    return x - jnp.tanh(x)


def soft_shrink(x: jax.Array, alpha: float = 0.5) -> jax.Array:
    """Nearer to 0 by alpha, or 0."""
    return x - jnp.clip(x, -alpha, alpha)


def hard_shrink(x: jax.Array, alpha: float = 0.5) -> jax.Array:
    """``x``, or 0 where it lies no further from 0 than alpha."""
    return jnp.where(abs(x) <= alpha, jnp.zeros_like(x), x)


def quick_gelu(x: jax.Array) -> jax.Array:
    """``x * sigmoid(1.702 x)``, which CLIP has for GELU."""
    return x * jax.nn.sigmoid(1.702 * x)


def relu_squared(x: jax.Array) -> jax.Array:
    """The square of ReLU."""
    return jnp.square(jax.nn.relu(x))
