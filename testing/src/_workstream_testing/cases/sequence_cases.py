"""The ``Z`` cases of sequences: their own deferred work, undo, budgets, batches.

Their numbers are those of the specification's second part.
"""

from __future__ import annotations

from .case import Case

__all__ = ["SEQUENCE_CASES", "SEQUENCE_RECOVERY"]

DEFERRED_WORK = (
    Case(
        "Z-28",
        "B1(tol=1): s1[a err] then[f(on_failure)[x ok@2]; g(on_success)[y]] s2[b]",
        "C/UNKNOWN trace(a x b) s1=F s1[0,2] s1.then,f,x=C g=N b@2 s2=C",
        "SD-2 SD-3",
    ),
    Case(
        "Z-29",
        "B1(conc=2): s1[a err@1] then[z(always) ok@9]; s2 ok@3; s3",
        "F/BLOCK s1=F s1[0,10] z=C s2=C s3=N B1=F B1[0,10]",
        "SD-4 Q-3",
    ),
    Case(
        "Z-30",
        "B1(conc=2): s1 err@3; s2[b1 ok@4; b2] then[f(on_failure)[x]; g(on_success)]",
        "F/BLOCK b1=C b2=N x@4 s2.then,f=C g=N s1=F s2=S",
        "SD-2 Q-4",
    ),
    Case(
        "Z-31",
        "B1: s1[a] then[g(always fe) err]",
        "F/BLOCK a=C g,s1.then,s1,B1=F",
        "SD-2",
    ),
    Case(
        "Z-32",
        "cont(d=1)[k ok,err] B1(tol=-1): s1[a1 ok@2; a2] then[f(on_failure fe) err]",
        "F/CONT_CHECK reasons(CONT_CHECK BLOCK) a1=C a2=N f,s1.then,s1,B1=F",
        "SD-4 B-6",
    ),
    Case(
        "Z-101",
        "B1(conc=2): s1 err@1; s2[b1(retries=2) err@2,ok] then[f(on_failure)[x"
        " (retries=1) err,ok]]",
        "F/BLOCK b1=C s2=C f=N s2.then=C x@never",
        "SD-2 Q-4",
    ),
    Case(
        "Z-102",
        "B1: s1[a ok@3; b] then[f(on_failure)[x(retries=1) err,ok@2] u(always)] s2",
        "S/STOPPED a=C b=N x@3,4 x{err ok} u@6 s1=S s1[0,6] s2=N B1=S",
        "SD-2 SP-4",
        stop_at=1,
    ),
    Case(
        "Z-103",
        "B1(conc=2 tol=1): s1 err@1; s2[a ok] then[g(on_success fe) err@5]; s3 ok@3;"
        " s4 ok@9; s5",
        "F/BLOCK s1,s2=F s3,s4=C s5=N B1=F B1[0,13]",
        "SD-4 Q-3",
    ),
    Case(
        "Z-104",
        "B1(tol=1): s1[a err] then[f(on_failure)[x err]; z(always)[y]] s2",
        "C/UNKNOWN s1,f=F s1.then,z,s2=C trace(a x y s2)",
        "SD-2 DA-4",
    ),
)

SEQUENCE_RECOVERY = (
    Case(
        "Z-33",
        "plan=R: B1=R: s1=R[a=C] then[g(on_success)[y]] s2",
        "C/UNKNOWN trace(y s2) rest=C",
        "SD-3 R-10",
    ),
    Case(
        "Z-34",
        "plan=R: B1=R(conc=2): s1=F[a=F] s2=R[b1=C; b2]"
        " then=R[f=R(on_failure)[x=R{open}]; g(on_success)]",
        "F/BLOCK trace(x) x{int ok} f,s2.then=C b2,g=N s2=S B1=F",
        "SD-3",
    ),
    Case(
        "Z-105",
        "plan=R: B1=R(tol=0 conc=2): s1=R[a=F] then[f(on_failure)[x ok@3]] s2",
        "F/BLOCK trace(x) f=C s1=F s1[,3] s2=N B1=F",
        "SD-3 SD-4",
    ),
    Case(
        "Z-106",
        "plan=R(stop): B1=R: s1=R[a=R{open}; b] then[f(on_failure)[x]] s2",
        "S/STOPPED a=S b=N trace(x) f=C s1=S s2=N",
        "SD-3 R-17",
    ),
)

SEQUENCE_CASES = (*DEFERRED_WORK, *SEQUENCE_RECOVERY)
