"""The conformance cases: plans in the notation, what must come of them, and by what rules.

``X`` cases are those of the specification; ``Y`` cases are our own, for rules that could
go wrong without one of the others noticing; ``H`` cases are those in which people tell a
plan something while it runs (``hand_cases``). What is no plan that runs (validation, the
store, watching) is tested in tests of its own, which cite the case's id.
"""

from __future__ import annotations

from .case import Case
from .flow_cases import FLOW_CASES
from .hand_cases import HAND_CASES
from .own_cases import OWN_CASES
from .own_recovery_cases import OWN_RECOVERY
from .sequence_cases import SEQUENCE_CASES, SEQUENCE_RECOVERY

ORDER_AND_BYPASS = (
    Case("X-01", "B1: s1[a ok]", "C/UNKNOWN reasons() rest=C a*1", "A-1 F-2"),
    Case(
        "X-02",
        "byp[y err] pre[p] cont(d=100)[k] post[q] da[z(always)] def[w]"
        " B1: byp[by err] pre[bp] cont(d=100)[bk] s1[a1] post[bq] def[bd] B2: s2[a2]",
        "C/UNKNOWN trace(y {p,k} by {bp,bk} a1 bq bd a2 q z w) byp,B1.byp=F rest=C",
        "E-1 B-1 E-2 B-3",
    ),
    Case(
        "X-03",
        "byp[y ok] pre cont post da[z(always)] def B1",
        "C/UNKNOWN reasons() trace(y) byp=C rest=N",
        "E-2 K-8 F-1",
    ),
    Case(
        "X-04",
        "byp[y1 ok; y2 err@2] B1: s1[a]",
        "C/UNKNOWN trace({y1,y2} a) y1=C y2,byp=F byp[0,2] a@2 rest=C",
        "E-2 C-2",
    ),
    Case(
        "X-05",
        "B1(in=5 out=7): byp[ok] pre cont s1 post def B2: s2[a2]",
        "C/UNKNOWN B1,B1.byp,B2,s2=C rest=N a2@5 trace(B1.byp a2)",
        "B-2 B-3",
    ),
    Case(
        "X-06",
        "byp[y(retries=1) err,ok] B1",
        "C/UNKNOWN byp=C byp[0,1] y{err ok} y@0,1 rest=N",
        "C-4 E-2",
    ),
)

PRE_STAGE = (
    Case(
        "X-07",
        "pre[p err] post da[r(on_failure) g(on_success)] def[w] B1",
        "F/PRE_CHECK reasons(PRE_CHECK) trace(p r w) pre=F da,r,def=C rest=N",
        "E-3 E-9 DA-2",
    ),
    Case("X-08", "pre cont[k err] B1", "F/CONT_CHECK pre=C cont=F rest=N", "E-3 K-7"),
    Case(
        "X-09",
        "pre[err] cont[err] B1",
        "F/PRE_CHECK reasons(PRE_CHECK CONT_CHECK) pre,cont=F rest=N",
        "F-3 OM-4",
    ),
    Case(
        "X-10",
        "pre[err] cont[k ok@3] da[r(always)] B1",
        "F/PRE_CHECK pre=F cont,da,r=C rest=N r@3 k@0",
        "E-3",
    ),
    Case(
        "X-11",
        "cont[k err] B1: s1[a]",
        "F/CONT_CHECK trace(k) cont=F rest=N",
        "E-4",
    ),
    Case(
        "X-12",
        "B1: pre[err] cont[ok] s1 post def[bd]",
        "F/BLOCK reasons(BLOCK) trace({B1.pre,B1.cont} bd)"
        " B1,B1.pre=F B1.cont,B1.def=C rest=N",
        "B-4 B-5 B-9",
    ),
    Case(
        "X-13",
        "B1: cont[err] s1[a]",
        "F/BLOCK reasons(BLOCK) a@never B1,B1.cont=F rest=N",
        "E-4 B-4 K-7",
    ),
)

SEQUENCES = (
    Case(
        "X-14",
        "B1: s1[a1 ok; a2 err; a3 ok]",
        "F/BLOCK a1=C a2,s1,B1=F a3=N trace(a1 a2)",
        "Q-8",
    ),
    Case("X-15", "B1: s1 err; s2 ok", "F/BLOCK s1,B1=F s2=N", "Q-2 Q-3 Q-7"),
    Case(
        "X-16",
        "B1(tol=1): s1 err; s2; s3",
        "C/UNKNOWN reasons() s1=F rest=C",
        "Q-3 B-11 F-2",
    ),
    Case("X-17", "B1(tol=1): s1 err; s2 err; s3", "F/BLOCK s1,s2,B1=F s3=N", "Q-3"),
    Case("X-18", "B1(tol=1): s1 err; s2; s3 err", "F/BLOCK s1,s3,B1=F s2=C", "Q-9"),
    Case("X-19", "B1(tol=-1): s1..s3 err", "C/UNKNOWN s1..s3=F B1=C", "Q-3"),
    Case(
        "X-20",
        "B1(conc=5): s1 err@1; s2..s5 err@3; s6",
        "F/BLOCK s1..s5,B1=F s6=N B1[0,3] most=5",
        "Q-6 Q-5",
    ),
    Case(
        "X-21",
        "B1(conc=3): s1 err@1; s2[b1 ok@5; b2 ok@5] s3 ok@2; s4 def[bd]",
        "F/BLOCK s1,B1=F b1,s3,B1.def=C b2,s4=N s2=S bd@5 b2@never",
        "Q-4 Q-5",
    ),
    Case(
        "X-21b",
        "B1(conc=3 halt=seq): s1 err@1; s2[b1 ok@5; b2 ok@5] s3 ok@2; s4 def[bd]",
        "F/BLOCK s1,B1=F s2,s3,B1.def=C s4=N bd@10",
        "Q-4 Q-5",
    ),
    Case(
        "X-21c",
        "B1(conc=2): s1 err@1; s2[b1(retries=2) err@2,ok; b2]",
        "F/BLOCK b1@0,3 b1{err ok} s1,B1=F b1=C b2=N s2=S",
        "Q-4",
    ),
    Case(
        "X-22",
        "B1(conc=3): s1..s7 ok@1",
        "C/UNKNOWN rest=C most=3 plan[0,3] trace({s1,s2,s3} {s4,s5,s6} s7)",
        "Q-1",
    ),
    Case(
        "X-23",
        "B1(conc=2): s1 err@1; s2 ok@2; s3",
        "F/BLOCK s1,B1=F s2=C s3=N B1[0,2]",
        "Q-2",
    ),
    Case(
        "X-24",
        "post def[w] B1: s1 err; B2",
        "F/BLOCK reasons(BLOCK) B1,s1=F def=C rest=N trace(s1 w)",
        "B-13 E-5 F-5",
    ),
)

CONTINUOUS_CHECKS = (
    Case(
        "X-25",
        "cont(d=1)[k ok,ok,ok,err] B1: s1 ok@4; s2",
        "F/CONT_CHECK reasons(CONT_CHECK BLOCK) k@0,1,2,3 cont,B1=F s1=C s2=N",
        "K-1 K-3 B-6 F-3",
    ),
    Case(
        "X-26",
        "cont(d=1)[k ok,ok,ok,err] B1: s1 ok@4 post[bq] def[bd] B2",
        "F/CONT_CHECK reasons(CONT_CHECK) bq@4 bd@4 cont=F B1,s1,B1.post,B1.def=C"
        " rest=N",
        "B-7 E-6",
    ),
    Case(
        "X-27",
        "B1: cont(d=1)[k ok,ok,err] s1 ok@5 post def[bd]",
        "F/BLOCK reasons(BLOCK) B1,B1.cont=F s1,B1.def=C B1.post=N bd@5 k@0,1,2",
        "B-8 K-7",
    ),
    Case(
        "X-28",
        "cont(d=1)[k ok] B1: s1 ok@10.5",
        "C/UNKNOWN k@0,1,2,3,4,5,6,7,8,9,10 k*1 rest=C plan[0,10.5]",
        "K-4 K-5",
    ),
    Case(
        "X-28b",
        "pre[ok@5] cont(d=2)[k ok@1] B1: s1 ok@3",
        "C/UNKNOWN k@0,7 rest=C plan[0,8]",
        "K-1",
    ),
    Case(
        "X-29",
        "cont(d=1)[k ok,err@5] post B1: s1 ok@2",
        "F/CONT_CHECK k@0,1 B1,s1=C B1[0,2] cont=F cont[,6] post=N plan[0,6]",
        "K-6 E-7 E-8",
    ),
    Case(
        "X-30",
        "cont(d=1)[k ok,err,ok] B1: s1 ok@5; s2",
        "F/CONT_CHECK k@0,1 cont,B1=F s1=C s2=N",
        "K-2",
    ),
    Case(
        "X-31",
        "cont(d=1)[k ok,ok,ok,err] da[r(always)] B1: s1 ok@1; B2(in=10)",
        "F/CONT_CHECK reasons(CONT_CHECK) r@3 B1,s1,da,r=C cont=F rest=N",
        "E-6",
    ),
    Case(
        "X-32",
        "B1: cont(d=1)[ok,ok,err] s1 ok@1.5 post[bq ok@3] def[bd]",
        "F/BLOCK B1,B1.cont=F s1,B1.post,B1.def=C bq@1.5 bd@4.5",
        "B-10",
    ),
)

DEFERRED = (
    Case(
        "X-33",
        "post B1: post[err] def[bd]",
        "F/BLOCK reasons(BLOCK) B1,B1.post=F B1.s,B1.def=C post=N",
        "B-9 B-13",
    ),
    Case("X-34", "B1: def[err] B2", "F/BLOCK B1,B1.def=F B1.s=C rest=N", "B-9"),
    Case(
        "X-35",
        "post[err] da[r(on_failure) g(on_success)] def[w] B1",
        "F/POST_CHECK post=F r,da,def=C g=N B1=C trace(B1.a post r w)",
        "E-8 E-9",
    ),
    Case(
        "X-36",
        "def[err] da[r(on_failure) g(on_success)] B1",
        "F/DEFERRED_CHECK def=F g,da,B1=C r=N trace(B1.a g def)",
        "E-9 DA-1",
    ),
    Case(
        "X-37",
        "def[err] B1: s1 err",
        "F/DEFERRED_CHECK reasons(DEFERRED_CHECK BLOCK) rest=F",
        "F-3",
    ),
    Case(
        "X-38",
        "da[b1(always) ok@3; b2(always)[x ok]] B1",
        "C/UNKNOWN x@3 rest=C",
        "DA-3",
    ),
    Case(
        "X-39",
        "da[b1(on_success fe) err; b2(always) b3(on_failure)] B1",
        "F/DEFERRED_ACTION reasons(DEFERRED_ACTION) b1,da=F b2=C b3=N B1=C",
        "DA-4 DA-6 DA-7",
    ),
    Case("X-40", "da[b1(always) err] B1", "C/UNKNOWN b1=F da=C rest=C", "DA-6 DA-8"),
    Case(
        "X-41",
        "da[r(on_failure fe) err] B1: s1 err",
        "F/DEFERRED_ACTION reasons(DEFERRED_ACTION BLOCK) rest=F",
        "DA-7 F-3",
    ),
    Case(
        "X-42",
        "da[b(always)[r1 ok; r2 err; r3]] B1",
        "C/UNKNOWN r1,da=C r2,b=F r3=N",
        "DA-5",
    ),
    Case("X-43", "da[r(on_failure)] B1", "C/UNKNOWN r=N rest=C", "DA-2 DA-6"),
    Case(
        "X-44",
        "da[g(on_success) r(on_failure)] B1(tol=1): s1 err; s2",
        "C/UNKNOWN g,s2=C s1=F r=N rest=C",
        "DA-1",
    ),
)

ACTIONS_AND_DELAYS = (
    Case(
        "X-45",
        "B1: s1[a(retries=2) err,err,ok]",
        "C/UNKNOWN a@0,1,3 a{err err ok} rest=C",
        "A-2 A-11",
    ),
    Case("X-46", "B1: s1[a(retries=2) err]", "F/BLOCK a{err err err} a[0,3]", "A-10"),
    Case("X-47", "B1: s1[a(retries=3) err,perm]", "F/BLOCK a{err perm} a[0,1]", "A-9"),
    Case("X-48", "B1: s1[a(retries=3) bad]", "F/BLOCK a{perm} a=F", "A-6"),
    Case("X-49", "B1: s1[a(retries=3) none]", "F/BLOCK a{perm} a=F", "A-7"),
    Case("X-50", "B1: s1[a(retries=1) boom,ok]", "C/UNKNOWN a{boom ok} rest=C", "A-8"),
    Case(
        "X-51",
        "B1: s1[a(timeout=5 retries=1) hang,ok]",
        "C/UNKNOWN a@0,6 a{time ok} a[0,6] rest=C",
        "A-4",
    ),
    Case(
        "X-52",
        "B1: s1[a(timeout=5 retries=1) hang+3,ok]",
        "C/UNKNOWN a@0,9 a{time ok} rest=C",
        "A-5",
    ),
    Case("X-53", "B1: s1[a both]", "F/BLOCK a{both} a=F", "A-3"),
    Case(
        "X-53b",
        "B1: s1[a(deadline=10 retries=none) err@2]",
        "F/BLOCK a@0,3,7 a{err err err} a[0,9]",
        "A-15",
    ),
    Case(
        "X-53c",
        "B1: s1[a(deadline=5.5 timeout=5 retries=3) hang]",
        "F/BLOCK a{time} a[0,5]",
        "A-15",
    ),
    Case(
        "X-53d",
        "B1: s1[a(deadline=7 timeout=5 retries=3) hang]",
        "F/BLOCK a@0,6 a{time time} a[0,7]",
        "A-15 A-4",
    ),
    Case(
        "X-53e",
        "B1: s1[a(deadline=3 retries=none) err]",
        "F/BLOCK a@0,1 a{err err} a[0,1]",
        "A-15",
    ),
    Case(
        "X-54",
        "B1(in=5 out=7): s1 ok@1; B2",
        "C/UNKNOWN B1[5,6] B2[13,13] rest=C",
        "B-2 B-12",
    ),
    Case("X-55", "da[r(always)] B1(out=7): s1 err", "F/BLOCK r@0 r=C", "B-12"),
)

STOP = (
    Case(
        "X-64",
        "da[r(on_failure)] def[w] B1: s1[a1 ok@5; a2] s2 post def[bd]",
        "S/STOPPED reasons(STOPPED) trace(a1 bd r w) a1,r,da,def,B1.def=C s1,B1=S"
        " a2,s2,B1.post=N bd@5",
        "SP-2 SP-3 SP-4 SP-5 SP-6 SP-7",
        stop_at=2,
    ),
    Case(
        "X-65b",
        "da[r(on_failure)] B1: s1[a ok@5]",
        "S/STOPPED reasons(STOPPED) rest=C trace(a r)",
        "SP-6 SP-7",
        stop_at=2,
    ),
    Case(
        "X-65c",
        "byp[y ok@5] pre def[w] B1",
        "C/UNKNOWN reasons() byp=C rest=N trace(y)",
        "SP-5 F-1",
        stop_at=2,
    ),
    Case(
        "X-65d",
        "byp[y(retries=1) err@5] pre def[w] B1",
        "S/STOPPED y,byp=S def=C rest=N trace(y w)",
        "SP-5 SP-3",
        stop_at=2,
    ),
)

SPECIFIED_RECOVERY = (
    Case(
        "X-67",
        "plan=R: B1=R: s1=R[a=R{open} ok]",
        "C/UNKNOWN a@0 a{int ok} rest=C",
        "R-7",
    ),
    Case(
        "X-67b",
        "plan=R: B1=R: s1=R[a=R{open}(retries=1) err,ok]",
        "C/UNKNOWN a@0,1 a{int err ok} rest=C",
        "R-6 R-7 A-11",
    ),
    Case(
        "X-68",
        "plan=R: B1=R: s1=R[a=R{err}(retries=2) ok]",
        "C/UNKNOWN a@0 a{err ok} rest=C",
        "R-5 R-6",
    ),
    Case(
        "X-69",
        "plan=R: B1=R: s1=R[a1=C; a2=R; a3]",
        "C/UNKNOWN trace(a2 a3) rest=C a2{ok}",
        "R-5 R-10",
    ),
    Case(
        "X-70",
        "plan=R: pre=R[p1=F; p2=R{open}] da[r(on_failure)] def[w] B1",
        "F/PRE_CHECK trace(r w) pre=F p2=N p2*0 r,da,def=C B1=N",
        "R-8 R-14",
    ),
    Case(
        "X-71",
        "plan=R: da[r(on_failure)] def[w] B1=F: s1=F[a=F] B2",
        "F/BLOCK trace(r w) B1,s1=F r,da,def=C rest=N",
        "R-15",
    ),
    Case(
        "X-72",
        "plan=R: da=R[b1=F(always fe)[x=F]; b2(always)] B1=C",
        "F/DEFERRED_ACTION trace(b2) b1,da=F b2=C B1=C",
        "R-16",
    ),
    Case(
        "X-73",
        "plan=R: da[r(always)] B1=R: s1=R[a=R{open}] s2",
        "F/EXCEED_RECOVERY reasons(EXCEED_RECOVERY) trace() B1,s1,a=F a{int}"
        " s2,r,da=N plan[,0] B1[,0] a[,0]",
        "R-3",
        found_after=31 * 60,
    ),
    Case(
        "X-74",
        "plan=R: pre=C cont=C[k] B1=R: s1=C s2",
        "C/UNKNOWN trace(k s2) rest=C",
        "R-9 R-12",
    ),
    Case(
        "X-74b",
        "plan=R: cont=C[k err] da[r(on_failure)]"
        " B1=R: s1=R[a1=C; a2=R{open}; a3] s2 def[bd] B2",
        "F/CONT_CHECK reasons(CONT_CHECK BLOCK) trace(k a2 bd r) a2,r,da,B1.def=C"
        " cont,B1=F s1=S a3,s2,B2=N",
        "R-9 R-11",
    ),
)

RECOVERY: tuple[Case, ...] = (*SPECIFIED_RECOVERY, *OWN_RECOVERY, *SEQUENCE_RECOVERY)
"""The cases that begin with what a crash left."""

CASES: tuple[Case, ...] = (
    *ORDER_AND_BYPASS,
    *PRE_STAGE,
    *SEQUENCES,
    *CONTINUOUS_CHECKS,
    *DEFERRED,
    *ACTIONS_AND_DELAYS,
    *STOP,
    *SPECIFIED_RECOVERY,
    *OWN_CASES,
    *SEQUENCE_CASES,
    *HAND_CASES,
    *FLOW_CASES,
)
