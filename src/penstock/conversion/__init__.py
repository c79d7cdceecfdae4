"""A flow from one way of writing it into another, where that is exact; and a list of where it is not."""
