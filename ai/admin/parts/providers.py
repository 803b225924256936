"""What each provider needs, in words, for the form of language models."""

from __future__ import annotations

#: Provider → (what to fill in, an example of the model's name).
HELP: dict[str, dict[str, str]] = {
    "openai": {"text": "Needs a key (OPENAI_API_KEY). No base URL.", "model": "gpt-4o-mini"},
    "openai-responses": {"text": "OpenAI through its Responses API. Needs a key (OPENAI_API_KEY).", "model": "gpt-4.1"},
    "openai-compatible": {
        "text": "Needs the server's base URL, which mostly ends in /v1. A key only if the server asks for one. A host with "
        "a private address must be listed in AI_PRIVATE_MODEL_HOSTS.",
        "model": "the name that GET /v1/models lists",
    },
    "azure": {
        "text": "Needs the resource's base URL, a key (AZURE_OPENAI_API_KEY) and an API version. The model is the deployment.",
        "model": "my-deployment",
    },
    "anthropic": {"text": "Needs a key (ANTHROPIC_API_KEY).", "model": "claude-sonnet-4-5"},
    "google-gla": {"text": "Needs a key (GOOGLE_API_KEY or GEMINI_API_KEY).", "model": "gemini-2.5-flash"},
    "mistral": {"text": "Needs a key (MISTRAL_API_KEY).", "model": "mistral-small-latest"},
    "groq": {"text": "Needs a key (GROQ_API_KEY).", "model": "llama-3.3-70b-versatile"},
    "cohere": {"text": "Needs a key (CO_API_KEY).", "model": "command-r-plus"},
    "bedrock": {
        "text": "Needs AWS credentials in the environment, or a Bedrock API key (AWS_BEARER_TOKEN_BEDROCK), and AWS_REGION.",
        "model": "anthropic.claude-sonnet-4-5-v1:0",
    },
    "huggingface": {"text": "Needs a token (HF_TOKEN).", "model": "Qwen/Qwen3-32B"},
    "openrouter": {"text": "Needs a key (OPENROUTER_API_KEY).", "model": "meta-llama/llama-3.3-70b-instruct"},
    "ollama": {
        "text": "Needs no key. The base URL is http://localhost:11434/v1 unless you say otherwise.",
        "model": "qwen3",
    },
    "local": {"text": "The model inside this installation. Needs neither key nor URL.", "model": "smollm2"},
}
