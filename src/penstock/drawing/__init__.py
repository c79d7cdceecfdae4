"""Pictures of flows: laid out in layers, drawn as SVG, PNG, HTML, Mermaid or text."""
