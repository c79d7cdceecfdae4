"""Modules of plain functions as a flow: each public function a node, each parameter an edge. The code alone says what it is."""
