"""Tests of what people and servers are told: comments, mentions, notifications, webhooks."""
