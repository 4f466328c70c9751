//! What people paste: code, and what only looks a little like it.

/// What it is, the text, and the least share of code it must be seen to have.
pub(super) const CODE: [(&str, &str, f64); 10] = [
    (
        "rust",
        "//! Counts words.\n\nuse std::collections::HashMap;\n\n/// How often each word stands there.\npub fn count(text: &str) -> HashMap<&str, usize> {\n    let mut counts = HashMap::new();\n    for word in text.split_whitespace() {\n        *counts.entry(word).or_default() += 1;\n    }\n    counts\n}\n",
        0.8,
    ),
    (
        "python",
        "import os\nfrom typing import Any\n\n\nclass Loader:\n    \"\"\"Loads things\n\n    from files.\n    \"\"\"\n\n    def load(self, path: str) -> Any:\n        # read it all\n        with open(path) as f:\n            data = f.read()\n        if not data:\n            return None\n        return self.parse(data)\n\n\nif __name__ == \"__main__\":\n    print(Loader().load(os.environ[\"X\"]))\n",
        0.8,
    ),
    (
        "javascript",
        "import { useState } from 'react'\n\nexport default function App() {\n  const [count, setCount] = useState(0)\n  return (\n    <div className=\"app\">\n      <button onClick={() => setCount(count + 1)}>{count}</button>\n    </div>\n  )\n}\n",
        0.8,
    ),
    (
        "go",
        "package main\n\nimport \"fmt\"\n\n// main greets.\nfunc main() {\n\tfor i := 0; i < 3; i++ {\n\t\tfmt.Println(\"hi\", i)\n\t}\n\tif err := run(); err != nil {\n\t\tpanic(err)\n\t}\n}\n",
        0.8,
    ),
    (
        "c",
        "#include <stdio.h>\n\n/* Prints\n * a greeting. */\nint main(void)\n{\n    printf(\"hello\\n\");\n    return 0;\n}\n",
        0.8,
    ),
    (
        "sql",
        "SELECT u.name, count(*) AS orders\nFROM users u\nJOIN orders o ON o.user_id = u.id\nWHERE o.created > now() - interval '1 day'\nGROUP BY u.name\nORDER BY orders DESC;\n",
        0.8,
    ),
    ("html", "<ul>\n  <li>One</li>\n  <li>Two</li>\n</ul>\n", 0.8),
    (
        "a question with a file",
        "Why does this loop for ever?\n\nint main() {\n  int i = 0;\n  while (i < 10) {\n    printf(\"%d\", i);\n  }\n}\n",
        0.5,
    ),
    (
        "a fence without a language",
        "Explain, please:\n```\nmov eax, 1\nint 0x80\nxor ebx, ebx\npush rbp\n```\n",
        0.6,
    ),
    (
        "a patch",
        "Review this\ndiff --git a/x.py b/x.py\nindex 1..2 100644\n--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,3 @@\n import os\n-print(1)\n+print(2)\n",
        0.7,
    ),
];

/// What it is, and the text.
pub(super) const NO_CODE: [(&str, &str); 11] = [
    (
        "prose",
        "Write a short story about a keeper of a lighthouse. Let me know if (and only if) you need more; I can help.\nReturn it by Monday, for example.\nfrom what I hear it is good",
    ),
    (
        "inline code",
        "What does `x = f(1);` do, and why is `print(x)` not the same in Python 2? I import goods from abroad.",
    ),
    (
        "json",
        "What is wrong here?\n{\n  \"name\": \"x\",\n  \"list\": [\n    1,\n    2\n  ],\n  \"inner\": {\n    \"a\": true\n  }\n}\n",
    ),
    ("fenced json", "```json\n{\"a\": 1}\n```\n"),
    (
        "logs",
        "2026-11-22T20:00:00Z INFO server: started (port=80);\n2026-11-22 20:00:01,123 ERROR foo.bar(): failed = true\nNov 22 20:00:01 host sshd[12]: accepted()\n[20:01:02] WARN x = y\nlevel=info msg=\"f(x)\"\n127.0.0.1 - - [22/Nov/2026] \"GET /f(x) HTTP/1.1\" 200;\n",
    ),
    ("fenced logs", "```\n2026-11-22 20:00:01 ERROR f(x);\n2026-11-22 20:00:02 INFO g = 1\n```"),
    (
        "a stack",
        "java.lang.IllegalStateException: no\n\tat com.foo.Bar.run(Bar.java:12)\n\tat com.foo.Main.main(Main.java:3)\nTraceback (most recent call last):\n  File \"x.py\", line 3, in <module>\nValueError: bad\n",
    ),
    (
        "a list",
        "# Plan\n\n- buy milk (two litres);\n* call(mum)\n1. write = read\n2) rest\n> quoted;\n| a | b |\n",
    ),
    ("yaml", "name: build\non: push\njobs:\n  test:\n    runs-on: linux\n"),
    (
        "a mail",
        "Dear Ana,\n\nthe meeting is on Friday (room 4). Please bring:\n  the slides,\n  the budget.\n\nBest,\nJo <jo@example.com>\n",
    ),
    ("nothing", " \n\n"),
];
