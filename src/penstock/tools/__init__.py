"""What a node can call: llm, prompt, python, and the well-known packaged tools."""
