"""Trains and says nothing."""
