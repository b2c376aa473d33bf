"""The ``Y`` cases: rules that could go wrong without an ``X`` case noticing."""

from __future__ import annotations

from .case import Case
from .own_recovery_cases import OWN_RECOVERY

DELAYS_AND_LOOPS = (
    Case(
        "Y-01",
        "cont(d=1)[k ok,ok,err] da[r(always)] B1(out=10) B2",
        "F/CONT_CHECK reasons(CONT_CHECK) r@2 B1=C B2=N",
        "E-6 B-12",
    ),
    Case(
        "Y-02",
        "cont(d=1)[k ok,err] B1: pre[p ok@5] s1 def[bd] B2",
        "F/CONT_CHECK reasons(CONT_CHECK BLOCK) trace(k p k bd) B1.pre,B1.def=C B1=F"
        " s1,B2=N",
        "E-6 B-6 B-9",
    ),
    Case(
        "Y-03",
        "cont(d=1)[k ok,err] B1: byp[y ok@5] s1 B2",
        "F/CONT_CHECK reasons(CONT_CHECK) B1,B1.byp=C s1,B2=N plan[0,5]",
        "E-6 B-3",
    ),
    Case(
        "Y-04",
        "cont(d=1)[k ok,err] B1(conc=2): s1[a1 ok@3; a2] s2 ok@5; s3",
        "F/CONT_CHECK reasons(CONT_CHECK BLOCK) a1,s2=C a2,s3=N s1=S B1=F B1[0,5]",
        "Q-4 B-6",
    ),
    Case(
        "Y-05",
        "cont(d=1)[k ok,err] B1(conc=2 halt=seq): s1[a1 ok@3; a2] s2 ok@5; s3",
        "F/CONT_CHECK reasons(CONT_CHECK BLOCK) s1,s2=C s3=N B1=F a2@3",
        "Q-4 B-6",
    ),
    Case(
        "Y-06",
        "cont(d=1)[k ok,err] B1(conc=2): s1 ok@3; s2 ok@5; B2",
        "F/CONT_CHECK reasons(CONT_CHECK) s1,s2,B1=C B2=N",
        "B-7",
    ),
    Case(
        "Y-07",
        "cont(d=1)[k(retries=1) ok,err@3,ok@1] B1: s1 ok@2",
        "C/UNKNOWN k@0,1,5 k{err ok} plan[0,6] B1[0,2] rest=C",
        "K-6 E-7",
    ),
    Case(
        "Y-08",
        "cont(d=5)[k(deadline=3 retries=none) err,ok,err,ok] B1: s1 ok@10",
        "C/UNKNOWN k@0,1,6,7 k{err ok} rest=C",
        "A-15 C-1 A-14",
    ),
    Case(
        "Y-09",
        "B1: s1[a(retries=8 timeout=inf) err]",
        "F/BLOCK a@0,1,3,7,15,31,63,123,183 a[0,183]",
        "RP-3 A-11 V-24",
    ),
    Case(
        "Y-14",
        "B1: cont(d=1)[k ok,ok,err] s1[a1 ok@1.5; a2 ok@1] s2 def[bd]",
        "F/BLOCK reasons(BLOCK) k@0,1,2 B1.cont,B1=F s1=C s2=N bd@2.5",
        "Q-2 B-6 B-9",
    ),
    Case(
        "Y-15",
        "B1: cont(d=1)[k ok,err] s1[a1 ok@1.5; a2] def[bd]",
        "F/BLOCK a1=C a2=N s1=S B1=F bd@1.5",
        "Q-4 K-7",
    ),
)

ATTEMPTS = (
    Case("Y-16", "B1: s1[a(retries=3) sub]", "F/BLOCK a{perm} a=F", "A-7"),
    Case("Y-17", "B1: s1[a(retries=3) badboth]", "F/BLOCK a{perm} a=F", "A-6"),
    Case("Y-18", "B1: s1[a(retries=1) both,ok]", "C/UNKNOWN a{both ok} rest=C", "A-3"),
    Case(
        "Y-19",
        "B1: s1[a(timeout=5 retries=1) hang+40,ok]",
        "C/UNKNOWN a@0,46 a{time ok} rest=C",
        "A-16 A-5",
    ),
    Case(
        "Y-21",
        "B1: s1[a(timeout=2000) ok@1000]",
        "C/UNKNOWN plan[0,1000] rest=C",
        "E-11",
    ),
    Case(
        "Y-22",
        "def[d(retries=1) err,ok] da[b(always)[x(retries=1) err,ok]] B1",
        "C/UNKNOWN x{err ok} d{err ok} d@1,2 rest=C",
        "C-4 DA-5 E-9",
    ),
)

STRANGE_ENDS = (
    Case("Y-130", "B1: s1[a(retries=1) exit,ok]", "C/UNKNOWN a{boom ok} rest=C", "A-8"),
    Case(
        "Y-131", "B1: s1[a(retries=1) foreign,ok]", "C/UNKNOWN a{boom ok} rest=C", "A-8"
    ),
    Case(
        "Y-132", "B1: s1[a(retries=1) group,ok]", "C/UNKNOWN a{boom ok} rest=C", "A-8"
    ),
    Case("Y-133", "B1: s1[a(retries=3) perms]", "F/BLOCK a{perm} a=F", "A-9 A-8"),
    Case(
        "Y-134", "B1: s1[a(retries=1) exits,ok]", "C/UNKNOWN a{boom ok} rest=C", "A-8"
    ),
    Case(
        "Y-135",
        "B1(conc=2): s1 exit@5; s2 ok@10",
        "F/BLOCK s1=F s2=C plan[0,10]",
        "A-8 Q-5",
    ),
    Case(
        "Y-136",
        "B1: s1[a(timeout=5 retries=1) angry,ok]",
        "C/UNKNOWN a@0,6 a{time ok} rest=C",
        "A-4",
    ),
    Case(
        "Y-137",
        "B1: s1[a(timeout=5 retries=1) angrys,ok]",
        "C/UNKNOWN a@0,6 a{time ok} rest=C",
        "A-4 A-8",
    ),
    Case(
        "Y-138",
        "B1: pre[p(retries=1) foreign,ok; q(retries=1) exits,ok] s1",
        "C/UNKNOWN p{boom ok} q{boom ok} rest=C",
        "A-8 C-1",
    ),
)

OWN_STOPS = (
    Case(
        "Y-10",
        "da[r(on_failure)] B1(in=10) B2",
        "S/STOPPED reasons(STOPPED) r@2 da,r=C rest=N plan[0,2]",
        "SP-2 SP-6",
        stop_at=2,
    ),
    Case(
        "Y-11",
        "post B1(out=10) B2",
        "S/STOPPED B1,B1.s=C rest=N plan[0,2]",
        "SP-2 B-12 SP-7",
        stop_at=2,
    ),
    Case(
        "Y-12",
        "B1: s1[a(retries=3) err; b] def[bd]",
        "S/STOPPED a@0,1 a{err err} a[0,2] a,s1,B1=S b=N bd@2",
        "SP-2 SP-3 SP-4",
        stop_at=2,
    ),
    Case(
        "Y-13",
        "B1: s1[a(retries=3) perm@5; b] def[bd]",
        "S/STOPPED reasons(STOPPED BLOCK) a,s1,B1=F b=N bd@5",
        "SP-3 SP-6 SP-7",
        stop_at=2,
    ),
    Case(
        "Y-23",
        "B1: s1[a(deadline=6 retries=none) err@5]",
        "S/STOPPED reasons(STOPPED BLOCK) a{err} a,s1,B1=F a[0,5]",
        "SP-3 A-15",
        stop_at=2,
    ),
    Case(
        "Y-24",
        "cont(d=1)[k(retries=1) ok,err@5] B1: s1 ok@3",
        "S/STOPPED reasons(STOPPED) k,cont=S k{err} s1,B1=C plan[0,6]",
        "SP-5 K-6",
        stop_at=2,
    ),
    Case(
        "Y-25",
        "cont(d=1)[k ok,err@5] B1: s1 ok@3",
        "S/STOPPED reasons(STOPPED CONT_CHECK) cont=F s1,B1=C",
        "SP-5 F-3",
        stop_at=2,
    ),
    Case(
        "Y-26",
        "cont(d=5)[k] B1: cont(d=5)[j] s1 ok@3",
        "S/STOPPED k@0 j@0 cont,B1.cont,s1,B1=C plan[0,3]",
        "SP-5 SP-6",
        stop_at=2,
    ),
    Case(
        "Y-27",
        "B1: post[q(retries=1) err@5,ok] def[bd(retries=1) err@5,ok]",
        "S/STOPPED q{err} q,B1.post,B1=S bd{err ok} B1.def=C bd@5,11",
        "SP-5 SP-6 SP-2",
        stop_at=2,
    ),
    Case(
        "Y-28",
        "pre[p ok@5] cont[k ok@1] def[w] B1",
        "S/STOPPED pre,cont,def=C B1=N w@5",
        "SP-5 SP-7",
        stop_at=2,
    ),
    Case(
        "Y-29",
        "da[b(on_success)[x(retries=1) err@2,ok] r(on_failure)] B1",
        "C/UNKNOWN reasons() x{err ok} b=C r=N",
        "SP-8",
        stop_at=1,
    ),
    Case(
        "Y-30",
        "def[w(retries=1) err@2,ok] B1",
        "C/UNKNOWN reasons() w{err ok} rest=C",
        "SP-8",
        stop_at=1,
    ),
    Case(
        "Y-31",
        "post[q ok@5] da[r(on_failure) g(on_success)] B1",
        "S/STOPPED reasons(STOPPED) post,B1,r=C g=N r@5",
        "SP-5 SP-7",
        stop_at=2,
    ),
    Case(
        "Y-32",
        "B1: byp[y ok@5] s1 B2",
        "S/STOPPED B1,B1.byp=C s1,B2=N",
        "SP-5 SP-6",
        stop_at=2,
    ),
    Case(
        "Y-33",
        "B1: byp[y(retries=1) err@5] s1 def[bd]",
        "S/STOPPED B1,B1.byp,y=S s1,B1.def=N bd@never",
        "SP-5 SP-6 B-9",
        stop_at=2,
    ),
    Case(
        "Y-34",
        "B1: byp[y err@5] pre s1 def[bd]",
        "S/STOPPED B1.byp=F B1=S B1.pre,s1=N B1.def=C",
        "SP-5 SP-6 B-9",
        stop_at=2,
    ),
    Case(
        "Y-35",
        "B1: s1 ok@5 post",
        "S/STOPPED s1=C B1.post=N B1=S",
        "SP-6",
        stop_at=2,
    ),
    Case(
        "Y-36",
        "B1(conc=2 tol=1 halt=seq): s1[a1 ok@3; a2] s2[b1 err@4; b2] s3 def[bd]",
        "S/STOPPED a1=C a2,s3,b2=N s1=S s2=F B1=S bd@4",
        "SP-2 SP-4 SP-6",
        stop_at=2,
    ),
    Case(
        "Y-37",
        "pre[p err] da[b(always)[x ok@5; y]] B1",
        "F/PRE_CHECK reasons(PRE_CHECK) b,da=C y@5",
        "SP-8",
        stop_at=2,
    ),
    Case(
        "Y-38",
        "B1: s1 ok@2 post[q1 ok@1; q2 ok@1; q3 ok@1]",
        "S/STOPPED s1=C",
        "SP-2 SP-3 SP-5",
        stop_at=2,  # as the post-checks begin: each of them runs, or stays N
    ),
)

OWN_CASES: tuple[Case, ...] = (
    *DELAYS_AND_LOOPS,
    *ATTEMPTS,
    *STRANGE_ENDS,
    *OWN_STOPS,
    *OWN_RECOVERY,
)
