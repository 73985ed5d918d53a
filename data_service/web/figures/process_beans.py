"""Beans about the namenode's process and its calls: what Hadoop and Java tell of theirs."""

from typing import Any, Dict, List

from data_service.web.figures.bean_query import Bean
from data_service.web.figures.call_counts import counts_of
from data_service.web.figures.namenode_beans import bean
from data_service.web.figures.sightings import Look, Sighting
from zookeeper.fabric.figures import value_in

_MB = 1 << 20


def process_beans(look: Look) -> List[Bean]:
    """Those of the namenode that leads; none without one."""
    leader = look.leader
    if leader is None:
        return []
    port = leader.address.rpartition(":")[2]
    return [
        _rpc(leader, port),
        _rpc_by_call(leader, port),
        _memory(leader),
        bean("NameNode", "StartupProgress", "StartupProgress",
             {"ElapsedTime": 0, "PercentComplete": 1.0}),
        _java("Memory", {"HeapMemoryUsage": _heap(leader), "NonHeapMemoryUsage": _usage(0)}),
        _java("Runtime", {
            "StartTime": int(1000 * leader.started),
            "Uptime": int(1000 * max(0.0, look.wall - leader.started)),
            "SpecVersion": leader.version,
        }),
        _java("OperatingSystem", {
            "OpenFileDescriptorCount": leader.whole("process_open_fds") or 0,
            "ProcessCpuTime": int(
                1e9 * value_in(leader.families, "process_cpu_seconds_total")
            ),
        }),
        _java("Threading", {"ThreadCount": leader.whole("process_threads") or 0}),
    ]  # fmt: skip


def _rpc(leader: Sighting, port: str) -> Bean:
    calls = counts_of(leader.families)
    made, seconds = sum(calls.counts.values()), sum(calls.seconds.values())
    mean = 1000 * seconds / made if made else 0.0
    return bean("NameNode", f"RpcActivityForPort{port}", f"RpcActivityForPort{port}", {
        "tag.port": port,
        "ReceivedBytes": leader.whole("pyhdfs_received_bytes_total") or 0,
        "SentBytes": leader.whole("pyhdfs_sent_bytes_total") or 0,
        "RpcQueueTimeNumOps": int(made),
        "RpcQueueTimeAvgTime": 0.0,
        "RpcLockWaitTimeNumOps": int(made),
        "RpcLockWaitTimeAvgTime": 0.0,
        "RpcProcessingTimeNumOps": int(made),
        "RpcProcessingTimeAvgTime": mean,
        "TotalRequests": int(made),
        "RpcAuthenticationFailures": 0,
        "RpcAuthorizationFailures": 0,
        "RpcClientBackoff": 0,
        "RpcSlowCalls": 0,
        "CallQueueLength": 0,
        "NumOpenConnections": leader.whole("pyhdfs_connections") or 0,
        "NumDroppedConnections": leader.whole("pyhdfs_connections_evicted_total") or 0,
    })  # fmt: skip


def _rpc_by_call(leader: Sighting, port: str) -> Bean:
    calls = counts_of(leader.families)
    values: Dict[str, Any] = {"tag.port": port}
    for name in sorted(calls.counts):
        first, *rest = name.split("_")
        written = first.capitalize() + "".join(map(str.capitalize, rest))
        values[f"{written}NumOps"] = calls.made(name)
        values[f"{written}AvgTime"] = calls.mean_ms(name)
    title = f"RpcDetailedActivityForPort{port}"
    return bean("NameNode", title, title, values)


def _memory(leader: Sighting) -> Bean:
    resident = value_in(leader.families, "process_resident_memory_bytes") / _MB
    return bean("NameNode", "JvmMetrics", "JvmMetrics", {
        "tag.ProcessName": "NameNode",
        "MemNonHeapUsedM": 0.0,
        "MemHeapUsedM": round(resident, 1),
        "MemHeapCommittedM": round(resident, 1),
        "MemHeapMaxM": round(resident, 1),
        "MemMaxM": round(resident, 1),
        "GcCount": 0,
        "GcTimeMillis": 0,
        "ThreadsRunnable": leader.whole("process_threads") or 0,
        "ThreadsBlocked": 0,
        "ThreadsWaiting": 0,
        "LogFatal": 0,
        "LogError": 0,
        "LogWarn": 0,
        "LogInfo": 0,
    })  # fmt: skip


def _heap(leader: Sighting) -> Dict[str, int]:
    return _usage(leader.whole("process_resident_memory_bytes") or 0)


def _usage(size: int) -> Dict[str, int]:
    return {"committed": size, "init": 0, "max": size, "used": size}


def _java(kind: str, values: Dict[str, Any]) -> Bean:
    return {"name": f"java.lang:type={kind}", "modelerType": f"sun.management.{kind}Impl", **values}
