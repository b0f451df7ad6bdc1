"""The conformance kit: cases that a recurrent layer in any language is checked with."""
