"""What is installed, read from folder names; and which distribution provides a module where the names differ."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

# Import name → distribution, for those that people do look up.
_PROVIDERS = {
    "attr": "attrs",
    "azure.ai.contentsafety": "azure-ai-contentsafety",
    "azure.ai.evaluation": "azure-ai-evaluation",
    "azure.ai.formrecognizer": "azure-ai-formrecognizer",
    "azure.ai.inference": "azure-ai-inference",
    "azure.ai.ml": "azure-ai-ml",
    "azure.ai.projects": "azure-ai-projects",
    "azure.ai.textanalytics": "azure-ai-textanalytics",
    "azure.core": "azure-core",
    "azure.cosmos": "azure-cosmos",
    "azure.identity": "azure-identity",
    "azure.keyvault.secrets": "azure-keyvault-secrets",
    "azure.search.documents": "azure-search-documents",
    "azure.storage.blob": "azure-storage-blob",
    "bs4": "beautifulsoup4",
    "cohere": "cohere",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "discord": "discord.py",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "duckduckgo_search": "duckduckgo-search",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "github": "pygithub",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.storage": "google-cloud-storage",
    "google.genai": "google-genai",
    "google.generativeai": "google-generativeai",
    "google.protobuf": "protobuf",
    "grpc": "grpcio",
    "hamilton": "sf-hamilton",
    "IPython": "ipython",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "kafka": "kafka-python",
    "langchain_community": "langchain-community",
    "langchain_core": "langchain-core",
    "langchain_openai": "langchain-openai",
    "langchain_text_splitters": "langchain-text-splitters",
    "Levenshtein": "levenshtein",
    "llama_index": "llama-index",
    "lxml": "lxml",
    "magic": "python-magic",
    "MySQLdb": "mysqlclient",
    "nacl": "pynacl",
    "OpenSSL": "pyopenssl",
    "opentelemetry": "opentelemetry-sdk",
    "pdfminer": "pdfminer.six",
    "PIL": "pillow",
    "pinecone": "pinecone-client",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pydantic_settings": "pydantic-settings",
    "PyPDF2": "PyPDF2",
    "qdrant_client": "qdrant-client",
    "rank_bm25": "rank-bm25",
    "rouge_score": "rouge-score",
    "ruamel": "ruamel.yaml",
    "semantic_kernel": "semantic-kernel",
    "sentence_transformers": "sentence-transformers",
    "serpapi": "google-search-results",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "socks": "pysocks",
    "speech_recognition": "SpeechRecognition",
    "telegram": "python-telegram-bot",
    "usaddress": "usaddress",
    "websocket": "websocket-client",
    "wx": "wxPython",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
_INFO = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info$")


def normal(name: str) -> str:
    """A distribution's name as all spellings of it are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def provider(module: str) -> str:
    """The distribution that most likely provides ``module`` (dotted); its first part where nothing else is known."""
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        found = _PROVIDERS.get(".".join(parts[:end]))
        if found:
            return found
    # Namespaces whose distributions are named after the module.
    if parts[0] in ("azure", "google") and len(parts) > 1:
        return "-".join(parts[:3])
    return parts[0].replace("_", "-")


def installed(folders: Iterable[str | Path] | None = None) -> dict[str, str]:
    """Normal name → version of what is installed in these folders, in this interpreter unless told; a few milliseconds."""
    found: dict[str, str] = {}
    for folder in sys.path if folders is None else folders:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            match = _INFO.match(name)
            if match:
                found.setdefault(normal(match["name"]), match["version"])
    return found


def site_packages(root: Path) -> list[Path]:
    """The folders in which a virtual environment keeps its packages."""
    return [*sorted(root.glob("lib*/python3.*/site-packages")), *root.glob("Lib/site-packages")]


def lock(root: Path) -> tuple[str, ...]:
    """``name==version`` of everything in a virtual environment, sorted."""
    return tuple(sorted(f"{name}=={version}" for name, version in installed(site_packages(root)).items()))
