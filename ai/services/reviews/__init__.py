"""Review queues: what is reviewed and by which rubric (`queues`), one review after the other (`reviewing`), where reviewers
disagree (`deciding`), and what comes of it (`figures`)."""
