"""The ``Y`` cases of plans that crashed and were stopped, before it or while recovering."""

from __future__ import annotations

from .case import Case

RECOVERED_STOPS = (
    Case(
        "Y-102",
        "plan=R(stop): cont=C[k] B1=R: s1=R[a=R{open}; b] s2 def[bd] B2",
        "S/STOPPED reasons(STOPPED) trace(bd) a{int} a,s1,B1=S b,s2,B2=N cont,B1.def=C",
        "R-17 R-9",
    ),
    Case(
        "Y-103",
        "plan=R(stop): B1=R: s1=R[a=R{err}(retries=3)]",
        "S/STOPPED trace() a,s1,B1=S a{err}",
        "R-17",
    ),
    Case(
        "Y-104",
        "plan=R(stop): B1=R: s1=R[a=R{err}]",
        "S/STOPPED reasons(STOPPED BLOCK) trace() a,s1,B1=F",
        "R-17 R-5",
    ),
    Case(
        "Y-105",
        "plan=R(stop): B1=R: s1=R[a=R{open}(on_interrupt=reconcile); b]",
        "S/STOPPED trace() a{int ok} a=C b=N s1,B1=S",
        "R-7 R-17",
    ),
    Case(
        "Y-106",
        "plan=R(stop): B1=R: s1=R[a=R{open}(on_interrupt=reconcile reconcile=not_done)]",
        "S/STOPPED trace() a{int} a,s1,B1=S",
        "R-7 R-17",
    ),
    Case(
        "Y-107",
        "plan=R(stop): cont=R[k=R{open}] B1=R: s1=R[a=C; b]",
        "S/STOPPED reasons(STOPPED) trace() k,cont,s1,B1=S b=N",
        "R-9 R-17 SP-5",
    ),
    Case(
        "Y-108",
        "plan=R(stop): pre=R[p1=C; p2=R] def[w] B1",
        "S/STOPPED trace(w) p1=C p2=N pre=S B1=N",
        "R-8 SP-5",
    ),
    Case(
        "Y-109",
        "plan=R(stop): pre=R[p1=F; p2=R{open}] def[w] B1",
        "S/STOPPED reasons(STOPPED PRE_CHECK) trace(w) p2=S pre=F",
        "R-8 SP-5",
    ),
    Case(
        "Y-110",
        "plan=R(stop): byp=R[y=R{open}] def[w] B1",
        "S/STOPPED trace(w) y,byp=S B1=N",
        "R-14 SP-5",
    ),
    Case(
        "Y-111",
        "plan=R(stop): byp=C da[r(always)] def B1",
        "C/UNKNOWN reasons() trace() r,da,def,B1=N",
        "F-1 SP-5",
    ),
    Case(
        "Y-112",
        "plan=R(stop): def=R[d1=C; d2=R{open}(retries=1) err,ok] B1=C",
        "S/STOPPED trace({d1,d2} d2) def=C d2{err ok}",
        "R-8 SP-2",
    ),
    Case(
        "Y-113",
        "plan=R(stop): B1=R: s1=R[a=R{ok}] post[q]",
        "S/STOPPED trace() s1=C B1.post=N B1=S",
        "R-17 SP-6",
    ),
    Case(
        "Y-114",
        "plan=R(stop): B1(in=5)",
        "S/STOPPED trace() B1=N plan[-10,0]",
        "R-17 SP-6",
    ),
)

STOPPED_WHILE_RECOVERING = (
    Case(
        "Y-140",
        "plan=R: cont=C[k ok@1] B1=R: cont=R[bk=R{open}] s1",
        "S/STOPPED trace(k) cont=C bk,B1.cont,B1=S bk{int} bk[-10,1] B1.cont[,1] s1=N",
        "R-8 R-9 SP-5 E-10",
        stop_at=0.5,
    ),
    Case(
        "Y-141",
        "plan=R: cont=C[k ok@1] B1=R: pre=R[p=C; p2=R{open}] s1",
        "S/STOPPED trace(k) p=C p2,B1.pre,B1=S p2{int} p[,-5] p2[-10,1] s1=N",
        "R-8 R-17 SP-5",
        stop_at=0.5,
    ),
    Case(
        "Y-142",
        "plan=R: cont=C[k ok@1] B1=R: byp=R[y=C; y2=R{open}] s1",
        "S/STOPPED trace(k) y=C y2,B1.byp,B1=S y2{int} s1=N",
        "R-8 R-17 SP-5",
        stop_at=0.5,
    ),
    Case(
        "Y-143",
        "plan=R: cont=C[k ok@1] B1=R: s1=C post=R[q=R{err}(retries=3); q2=C]",
        "S/STOPPED trace(k) q2=C q,B1.post,B1=S q{err} s1=C",
        "R-8 R-17 SP-6",
        stop_at=0.5,
    ),
    Case(
        "Y-144",
        "plan=R: cont=C[k ok@1] B1=R: cont=R[bk=R{open}; bl=C] s1=R[a=R{open}; b]",
        "S/STOPPED trace(k) bk=S bl=C B1.cont=S a{int} a,s1,B1=S b=N",
        "R-9 R-17 SP-5",
        stop_at=0.5,
    ),
    Case(
        "Y-145",
        "plan=R: cont=C[k err@1] B1=R: cont=R[bk=R{open}] s1",
        "S/STOPPED reasons(STOPPED CONT_CHECK BLOCK) trace(k) cont,B1=F bk,B1.cont=S s1=N",
        "R-9 R-17 SP-5 SP-7",
        stop_at=0.5,
    ),
    Case(
        "Y-146",
        "plan=R(stop): B1=R: pre=R[p=F; p2=R{open}] s1",
        "S/STOPPED reasons(STOPPED BLOCK) trace() p=F p2=S p2{int} B1.pre,B1=F s1=N",
        "R-8 R-17",
    ),
    Case(
        "Y-147",
        "plan=R(stop): B1=R: pre=R[p=C; p2=S{err}] s1",
        "S/STOPPED trace() p=C p2,B1.pre,B1=S B1.pre[,-5] s1=N",
        "R-8 R-17",
    ),
)

STOPPED_RECOVERY: tuple[Case, ...] = (*RECOVERED_STOPS, *STOPPED_WHILE_RECOVERING)
