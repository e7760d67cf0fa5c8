//! Single-producer single-consumer queues over shared words, generic over where the words live.
