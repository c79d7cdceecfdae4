"""The vector of a text."""

from penstock.connections.kinds import Connection
from penstock.errors import ToolError
from penstock.tools.asking import ask
from penstock.tools.builtin.requests import embedding_request
from penstock.tools.builtin.session import current


async def embedding(
    connection: Connection,
    input: str,
    deployment_name: str = "",
    model: str = "text-embedding-ada-002",
) -> list[float]:
    """The embedding of ``input``, a list of floats.

    Args:
        connection: Any connection whose endpoint makes embeddings.
        input: The text.
        deployment_name: Azure OpenAI: the deployment to ask.
        model: All others: the model to ask.

    Raises:
        ToolError: No deployment, or an answer without a vector.
        ModelError: The endpoint refused or failed.
    """
    request = embedding_request(connection, input, {"deployment_name": deployment_name, "model": model})
    completion = await ask(current().models, connection, request)
    try:
        vector: list[float] = completion.raw["data"][0]["embedding"]
    except (KeyError, IndexError, TypeError) as error:
        raise ToolError(
            f"The embedding endpoint of connection {connection.name!r} answered without a vector."
        ) from error
    return vector
