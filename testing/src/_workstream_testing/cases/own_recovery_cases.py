"""The ``Y`` cases that begin with what a crash left (section 15)."""

from __future__ import annotations

from .case import Case
from .stopped_recovery_cases import STOPPED_RECOVERY

RECOVERED_ACTIONS = (
    Case(
        "Y-40",
        "plan=R: B1=R: s1=R[a=R{ok}; b]",
        "C/UNKNOWN trace(b) a[-10,-8.5] a{ok} s1[-10,0] rest=C",
        "R-5 R-10",
    ),
    Case(
        "Y-41",
        "plan=R: B1=R: s1=R[a=R{perm}(retries=3); b]",
        "F/BLOCK trace() a,s1,B1=F b=N a[-10,-8.5]",
        "R-5",
    ),
    Case(
        "Y-42",
        "plan=R: B1=R: s1=R[a=R{err err}(retries=1)]",
        "F/BLOCK trace() a,s1,B1=F a[-10,-7.5]",
        "R-5 R-6",
    ),
    Case(
        "Y-43",
        "plan=R: B1=R: s1=R[a=R{int err}(retries=1) err]",
        "F/BLOCK a@0 a{int err err} a[-10,0]",
        "R-6",
    ),
    Case(
        "Y-44",
        "plan=R: B1=R: s1=R[a=R{err}(retries=2) err]",
        "F/BLOCK a@0,2 a{err err err}",
        "R-5 A-11",
    ),
    Case(
        "Y-45",
        "plan=R: B1=R: s1=R[a=R{err}(deadline=5 retries=none)]",
        "F/BLOCK trace() a{err} a[-10,0]",
        "A-15 R-5",
    ),
    Case(
        "Y-139",
        "plan=R: B1=R: s1=R[a=R{int}(retries=none deadline=9)]",
        "F/BLOCK trace() a{int} a[-10,0] a,s1,B1=F",
        "A-15 R-7 R-19",
    ),
    Case(
        "Y-46",
        "plan=R: B1=R: s1=R[a=R{open}(deadline=5)]",
        "F/BLOCK trace() a{int} a[-10,0]",
        "A-15 R-7",
    ),
    Case(
        "Y-47",
        "plan=R: B1=R: s1=R[a=R{err}(deadline=30 retries=none) err@3]",
        "F/BLOCK a@0,5,12 a{err err err err} a[-10,15]",
        "A-15 R-5 R-6",
    ),
    Case(
        "Y-48",
        "plan=R: B1=R: s1=R[a=R{err}(deadline=12 timeout=5 retries=none) hang]",
        "F/BLOCK a@0 a{err time} a[-10,2]",
        "A-15 A-4",
    ),
    Case(
        "Y-49",
        "plan=R: B1=R: s1=R[a=R{open}(on_interrupt=fail retries=3); b]",
        "F/BLOCK trace() a{int} a,s1,B1=F b=N a[-10,0]",
        "R-7",
    ),
    Case(
        "Y-50",
        "plan=R: B1=R: s1=R[a=R{open}(on_interrupt=reconcile); b]",
        "C/UNKNOWN trace(b) a{int ok} rest=C",
        "R-7",
    ),
    Case(
        "Y-51",
        "plan=R: B1=R: s1=R[a=R{open}(on_interrupt=reconcile reconcile=not_done); b]",
        "C/UNKNOWN trace(a b) a{int ok} rest=C",
        "R-7",
    ),
    Case(
        "Y-52",
        "plan=R:"
        " B1=R: s1=R[a=R{open}(on_interrupt=reconcile reconcile=boom retries=3); b]",
        "F/BLOCK trace() a{int perm} a,s1,B1=F b=N",
        "R-7",
    ),
    Case(
        "Y-53",
        "plan=R: B1=R:"
        " s1=R[a=R{open}(on_interrupt=reconcile reconcile=hang timeout=5 deadline=11)]",
        "F/BLOCK trace() a{int perm} a[-10,5]",
        "R-7",
    ),
    Case(
        "Y-54",
        "plan=R: B1=R: s1=R[a=R{open}(on_interrupt=reconcile deadline=5)]",
        "C/UNKNOWN trace() a{int ok} rest=C",
        "R-7",
    ),
    Case(
        "Y-55",
        "plan=R: B1=R:"
        " s1=R[a=R{open}(on_interrupt=reconcile reconcile=not_done deadline=5)]",
        "F/BLOCK trace() a{int} a[-10,0]",
        "R-7 A-15",
    ),
)

RECOVERED_DEADLINES = (
    Case(
        "Y-115",
        "plan=R: B1=R: s1=R[a=R{err}(retries=1 deadline=5)]",
        "F/BLOCK trace() a{err} a[-10,0]",
        "A-15 R-5",
    ),
    Case(
        "Y-116",
        "plan=R: B1=R: s1=R[a=R{err err}(retries=1 deadline=5)]",
        "F/BLOCK trace() a{err err} a[-10,-7.5]",
        "A-15 R-5",
    ),
    Case(
        "Y-117",
        "plan=R: B1=R: s1=R[a=R{perm}(retries=3 deadline=5)]",
        "F/BLOCK trace() a{perm} a[-10,-8.5]",
        "A-15 R-5",
    ),
)

RECOVERED_OTHERS = (
    Case(
        "Y-118",
        "plan=R: B1=R(conc=2): s1=R[a=R{int err}(retries=3)] s2=R[b=R] s3",
        "F/EXCEED_RECOVERY trace() B1,s1,s2,a,b=F s3=N a{int err} b*0",
        "R-3",
        found_after=31 * 60,
    ),
    Case(
        "Y-119",
        "plan=R: pre=R[p=R{open}] B1",
        "C/UNKNOWN trace(p B1.a) p{ok} rest=C",
        "R-7 R-8",
    ),
)

RECOVERED_SEQUENCES = (
    Case(
        "Y-56",
        "plan=R: B1=R(conc=2 halt=seq): s1=F[a=F] s2=R[b1=C; b2; b3] s3 def[bd]",
        "F/BLOCK trace(b2 b3 bd) s1,B1=F s2,B1.def=C s3=N",
        "R-11 Q-4",
    ),
    Case(
        "Y-57",
        "plan=R: B1=R(conc=2): s1=F[a=F] s2=R[b1=C; b2; b3] s3 def[bd]",
        "F/BLOCK trace(bd) s1,B1=F b1=C b2,b3,s3=N s2=S",
        "R-11 Q-4",
    ),
    Case(
        "Y-58",
        "plan=R: B1=R(conc=2): s1=F[a=F] s2=R[b1=R{err}(retries=2) err,ok; b2]",
        "F/BLOCK b1@0,2 b1=C b2=N s2=S B1=F",
        "R-11 Q-4 A-11",
    ),
    Case(
        "Y-59",
        "plan=R: B1=R(conc=2): s1=F[a=F] s2=R[b1=R; b2] def[bd]",
        "F/BLOCK trace(bd) b1,b2=N s2=S B1=F",
        "R-11 R-5",
    ),
    Case(
        "Y-60",
        "plan=R: B1=R(conc=2): s1=F[a=F]"
        " s2=R[b1=R{open}(on_interrupt=reconcile reconcile=not_done); b2]",
        "F/BLOCK trace(b1) b1{int ok} b1=C b2=N s2=S",
        "R-7 R-11",
    ),
    Case(
        "Y-61",
        "plan=R: B1=R: s1 s2=R[a=R{open} ok@1]",
        "C/UNKNOWN trace(a s1) s1[1,1] s2[-10,1] rest=C",
        "R-10",
    ),
    Case(
        "Y-62",
        "plan=R: B1=R(conc=3): s1=R[a1=R{open}; a2] s2=R[b=R{perm}] s3",
        "F/BLOCK trace(a1) a1=C a2,s3=N s1=S s2,B1=F",
        "R-10 R-11 Q-3",
    ),
    Case(
        "Y-63",
        "plan=R: B1=R(tol=1): s1=F[a=F] s2 err; s3",
        "F/BLOCK s1,s2,B1=F s3=N",
        "Q-3",
    ),
    Case(
        "Y-64",
        "plan=R: B1=R(conc=2): s1..s3=R ok@1; s4 ok@1",
        "C/UNKNOWN most=2 plan[-10,2] rest=C",
        "R-10 Q-1",
    ),
)

RECOVERED_BLOCKS = (
    Case("Y-65", "plan=R: B1=C(out=8) B2", "C/UNKNOWN B2[3,3] rest=C", "B-12"),
    Case("Y-66", "plan=R: B1=C(out=3) B2", "C/UNKNOWN B2[0,0] rest=C", "B-12"),
    Case(
        "Y-67",
        "plan=R: B1=C(out=100) B2=R: s1",
        "C/UNKNOWN s1@0 B2[-10,0] rest=C",
        "B-12",
    ),
    Case(
        "Y-68",
        "plan=R: da[r(always)] B1=C(out=8)",
        "C/UNKNOWN r@3 rest=C",
        "B-12",
    ),
    Case(
        "Y-69",
        "plan=R: post=R[q=R{open}] B1=C(out=100)",
        "C/UNKNOWN q@0 q{ok} rest=C",
        "B-12 R-8",
    ),
    Case(
        "Y-70",
        "plan=R: B1=C(out=100): byp=C s1=N[a=N] B2",
        "C/UNKNOWN B2[0,0] s1=N rest=C",
        "B-12 B-3",
    ),
    Case(
        "Y-71",
        "plan=R: cont=C[k err] da[r(always)] B1=C(out=100) B2",
        "F/CONT_CHECK trace(k r) r@0 B2=N",
        "B-12 R-9 E-6",
    ),
    Case("Y-72", "plan=R: B1=C B2(in=5)", "C/UNKNOWN B2[5,5] rest=C", "R-13"),
    Case("Y-73", "plan=R: B1=R(in=50): s1", "C/UNKNOWN s1@0 rest=C", "R-12"),
    Case(
        "Y-74",
        "plan=R: B1=R: byp=R[y=R{open}] s1",
        "C/UNKNOWN trace(y) y{ok} B1,B1.byp=C s1=N",
        "R-12 R-8",
    ),
    Case(
        "Y-75",
        "plan=R: B1=R: byp=C s1 def[bd] B2",
        "C/UNKNOWN trace(B2.a) B1,B2=C s1,B1.def=N",
        "R-12 B-3",
    ),
    Case(
        "Y-76",
        "plan=R: B1=R: pre=F[p=F] cont=C[k] s1 def[bd]",
        "F/BLOCK trace(bd) B1=F s1=N B1.cont,B1.def=C",
        "R-12 R-9",
    ),
    Case(
        "Y-77",
        "plan=R: B1=R: pre[p] s1 post[q]",
        "C/UNKNOWN trace(p s1 q) rest=C",
        "R-12",
    ),
    Case(
        "Y-78",
        "plan=R: B1=R: s1=C post=F[q=F] def[bd] B2",
        "F/BLOCK trace(bd) B1=F B2=N",
        "R-12 B-9",
    ),
    Case(
        "Y-79",
        "plan=R: B1=R: s1=C post=C def=C[bd]",
        "C/UNKNOWN trace() rest=C",
        "R-12",
    ),
    Case("Y-80", "plan=R: B1=R: s1=C def=F[bd=F]", "F/BLOCK trace() B1=F", "R-12"),
    Case(
        "Y-81",
        "plan=R: B1=R: cont=C[k err] s1=C post=R[q=R{open}] def[bd]",
        "F/BLOCK trace(k q bd) B1.post,B1.def=C B1=F",
        "R-9 R-12",
    ),
    Case(
        "Y-82",
        "plan=R: B1=R: cont=C[k err] s1=R[a1=C; a2=R{open}; a3] s2",
        "F/BLOCK trace(k a2) a2=C a3,s2=N s1=S B1=F",
        "R-9 R-11",
    ),
    Case(
        "Y-83",
        "plan=R: B1=C: cont=C[k] s1 B2=R: s2=R[a=R{open}]",
        "C/UNKNOWN trace(a) rest=C",
        "R-9",
    ),
)

RECOVERED_CHECKS = (
    Case(
        "Y-84",
        "plan=R: cont=F[k=F] da[r(on_failure)] B1=R: s1=R[a=R{open}; b] s2 B2",
        "F/CONT_CHECK reasons(CONT_CHECK BLOCK) trace(a r) a=C b,s2,B2=N s1=S B1=F",
        "R-9 R-11 R-14",
    ),
    Case(
        "Y-85",
        "plan=R: cont=R[k=F; j=R{open}] B1=R: s1=C s2",
        "F/CONT_CHECK trace() cont,B1=F j,s2=N j*0",
        "R-9 R-8",
    ),
    Case(
        "Y-86",
        "plan=R: cont=R[k=R{open}] B1=R: s1=R[a=R{open}]",
        "C/UNKNOWN trace(k a) k{ok} a{int ok} rest=C",
        "R-9",
    ),
    Case(
        "Y-87",
        "plan=R: cont=C[k] post=R[q=C] B1=C",
        "C/UNKNOWN trace() rest=C post[-10,-5]",
        "R-9 R-8",
    ),
    Case(
        "Y-88",
        "plan=R: cont=C[k] da=R[b(always)] B1=C",
        "C/UNKNOWN trace(b) rest=C",
        "R-9 R-16",
    ),
    Case(
        "Y-89",
        "plan=R: pre=F[p=F] cont=C[k] da[r(on_failure)] B1",
        "F/PRE_CHECK trace(r) cont=C B1=N",
        "R-9 R-14",
    ),
    Case(
        "Y-90",
        "plan=R: pre=R[p1=C; p2=R{open}] cont=C[k] B1",
        "C/UNKNOWN trace({p1,p2,k} B1.a) p1{ok} p2{ok} rest=C",
        "R-9 R-8 E-3",
    ),
    Case(
        "Y-91",
        "plan=R: cont=C[k] da[r(always)] B1=F: s1=F[a=F] B2",
        "F/BLOCK trace(k r) cont,r=C B2=N",
        "R-9 R-15",
    ),
    Case(
        "Y-92",
        "plan=R: byp=R[y=R{open}] pre B1",
        "C/UNKNOWN trace(y) byp=C rest=N",
        "R-14",
    ),
    Case(
        "Y-93",
        "plan=R: post=F[q=F] da[r(on_failure) g(on_success)] def[w] B1=C",
        "F/POST_CHECK trace(r w) g=N",
        "R-15",
    ),
    Case(
        "Y-94",
        "plan=R: def=R[d1=C; d2=R{open}] B1=F: s1=F[a=F]",
        "F/BLOCK trace({d1,d2}) def=C d1{ok} d2{ok}",
        "R-8 R-15",
    ),
    Case("Y-95", "plan=R: def=C da=C[b(always)] B1=C", "C/UNKNOWN trace()", "R-15"),
    Case(
        "Y-96",
        "plan=R: def=F[d=F] da=C[b(always)] B1=C",
        "F/DEFERRED_CHECK trace()",
        "R-15",
    ),
    Case(
        "Y-97",
        "plan=R: cont=C(d=1)[k] B1=R: s1=R[a=R{open} ok@3.5]",
        "C/UNKNOWN k@0,1,2,3 a@0 rest=C",
        "R-9 K-1",
    ),
)

RECOVERED_DEFERRED = (
    Case(
        "Y-98",
        "plan=R: da=R[b1=R(always fe)[x=C; y=R{open}; z] b2(on_failure)"
        " b3(on_success)] B1=F: s1=F[a=F]",
        "F/BLOCK trace(y z b2) b1,b2,da=C b3=N da[-10,0] b1[-10,0]",
        "R-16",
    ),
    Case(
        "Y-99",
        "plan=R: da=R[b1=R(always fe)[x=F; y] b2(always)] B1=C",
        "F/DEFERRED_ACTION trace(b2) b1,da=F b2=C y=N",
        "R-16 DA-4",
    ),
    Case(
        "Y-100",
        "plan=R(stop): da=R[b1(on_failure)[x=R{err}(retries=1)] b2(on_success)] B1=C",
        "S/STOPPED trace(x) b1=C b2=N",
        "R-16 R-17 DA-1",
    ),
    Case(
        "Y-101",
        "plan=R: da=R[b1=R(always)[x=R{open}(retries=1) err,ok; y]] B1=C",
        "C/UNKNOWN x@0,1 x{int err ok} trace(x x y)",
        "R-16 R-6",
    ),
)

OWN_RECOVERY: tuple[Case, ...] = (
    *RECOVERED_ACTIONS,
    *RECOVERED_DEADLINES,
    *RECOVERED_OTHERS,
    *RECOVERED_SEQUENCES,
    *RECOVERED_BLOCKS,
    *RECOVERED_CHECKS,
    *RECOVERED_DEFERRED,
    *STOPPED_RECOVERY,
)
