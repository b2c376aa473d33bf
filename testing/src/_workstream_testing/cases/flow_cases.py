"""The ``Z`` cases of values that flow: who may be referred to, and how that can end."""

from __future__ import annotations

from .case import Case

FLOW_CASES = (
    Case(
        "Z-201",
        "B1: s1[a(retries=1) err,ok; b(of=a)]",
        "C/UNKNOWN a,b=C a*2 b*1 trace(a a b)",
        "VF-1 VF-6",
    ),
    Case(
        "Z-202",
        "pre[p] B1: pre[q] s1[a(of=p); b(of=q)] B2: s2[c(of=b)]",
        "C/UNKNOWN a,b,c=C trace(p q a b c)",
        "VF-1",
    ),
    Case(
        "Z-203",
        "B1(tol=1): s1[a err] B2(undo=never): s2[b(of=a retries=2); c]",
        "F/BLOCK a,b,s2,B2=F b*1 b@never c=N B1=C",
        "VF-6",
    ),
    Case(
        "Z-204",
        "B1: s1[a; b err] then[u(on_undo)[x(of=a)]]",
        "F/BLOCK a=C b=F u,x=C trace(a b x)",
        "VF-6",
    ),
    Case(
        "Z-205",
        "B1: s1[a err] then[u(on_undo)[x(of=a); y]]",
        "F/BLOCK a=F x=K y,u=C x@never",
        "VF-6",
    ),
    Case(
        "Z-206",
        "B1(tol=1): s1[a err; b] then[f(on_failure)[x(of=b); y]; g(always)[z(of=a)]]",
        "C/UNKNOWN a=F b=N x,z,f,g=F x@never z@never y=N s1=F",
        "VF-6 DA-5",
    ),
    Case(
        "Z-207",
        "B1: s1[a; b(of=a retries=1) err,ok] then[g(always)[x(of=b)]]",
        "C/UNKNOWN b*2 x=C trace(a b b x)",
        "VF-6",
    ),
    Case(
        "Z-208",
        "B1: s1[a ok@5; b(of=a)] then[g(always)[x(of=a)]] s2",
        "S/STOPPED a=C b=N x@5 s1=S s2=N",
        "VF-1 SD-2",
        stop_at=1,
    ),
)
