"""An encoder of pieces small enough to compute by hand: a word is one piece or two, its vectors are given."""

import numpy as np

from xsearch.core import Bags, QueryPieces


class ToyPieces:
    """words: each as its pieces, of which the first begins a word. vectors: int8 by piece; scales: float32 by piece."""

    def __init__(self, words, vectors, scales):
        self.words = words
        self._rows = np.array(vectors, dtype=np.int8)
        self._scales = np.array(scales, dtype=np.float32)
        self._first = {pieces[0] for pieces in words.values()}

    def pieces(self, texts):
        found = [[piece for word in text.split() for piece in self.words[word]] for text in texts]
        tokens = np.array([piece for own in found for piece in own], dtype=np.int32)
        starts = np.cumsum([0, *map(len, found)])
        return Bags(tokens, starts, np.flatnonzero(self.begins_word(tokens)))

    def query_pieces(self, text):
        tokens, places = [], []
        for word in text.split():
            begin = text.index(word, places[-1][1] if places else 0)
            for piece in self.words[word]:
                tokens.append(piece)
                places.append((begin, begin + 1))
                begin += 1
        starts, ends = np.array(places, dtype=np.int64).reshape(-1, 2).T
        tokens = np.array(tokens, dtype=np.int32)
        return QueryPieces(tokens, np.linalg.norm(self.token_vectors(tokens), axis=1), starts, ends)

    def token_integers(self, tokens):
        return self._rows[tokens], self._scales[tokens]

    def token_vectors(self, tokens):
        return (self._rows[tokens] * self._scales[tokens][:, None]).astype(np.float32)

    def begins_word(self, tokens):
        return np.array([piece in self._first for piece in np.asarray(tokens).tolist()], dtype=np.bool_)
