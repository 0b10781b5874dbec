"""Many browsers without a screen: `python -m tests.bench.sockets URL COOKIE CLUSTER NUMBER`. Says
"ready" when all were told something, and how many frames came when its input ends."""

from __future__ import annotations

import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def listen(url: str, cookie: str, cluster: int, told: list[int], place: int) -> None:
    words = {"Cookie": cookie}
    origin = url.replace("ws://", "http://").removesuffix("/ws/ui/")
    async with connect(url, additional_headers=words, origin=origin, compression=None) as socket:
        async for text in socket:
            if '"hello"' in text:
                await socket.send(json.dumps({"type": "sub", "topics": [f"cluster:{cluster}"], "cur": 0}))
            else:
                told[place] += 1


async def main() -> None:
    url, cookie, cluster, number = sys.argv[1:]
    told = [0] * int(number)
    tasks = [asyncio.create_task(listen(url, cookie, int(cluster), told, n)) for n in range(len(told))]
    while not all(told):
        await asyncio.sleep(0.1)
        for task in tasks:
            if task.done():
                task.result()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(told), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
