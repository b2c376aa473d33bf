"""The ``Z`` cases of sequences: their own deferred work, undo, budgets, batches.

Their numbers are those of the specification's second part.
"""

from __future__ import annotations

from .case import Case

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

UNDO = (
    Case(
        "Z-35",
        "da[r(always)] B1: s1[a] then[u(on_undo)[x ok@1]]"
        " s2[b] then[v(on_undo)[y ok@1]]"
        " B2: s3[c err] then[w(on_undo)[z ok@1]]",
        "F/BLOCK reasons(BLOCK) trace(a b c z y x r) u,v,w=C B1=C B2=F r@3",
        "UN-1 UN-2",
    ),
    Case(
        "Z-36",
        "B1(undo=block tol=0): s1[a] then[u(on_undo)[x]] s2 err def[bd] B2",
        "F/BLOCK trace(a s2 x bd) u,s1=C B1=F B2=N",
        "UN-1",
    ),
    Case(
        "Z-37",
        "B1: s1[a ok@3] then[u(on_undo)[x]] s2",
        "S/STOPPED reasons(STOPPED) s1,s1.then=C u,s2=N trace(a)",
        "UN-1",
        stop_at=1,
    ),
    Case(
        "Z-38",
        "B1: s1[a ok@3] then[u(on_undo)[x]] s2",
        "S/STOPPED reasons(STOPPED) x@3 u=C s2=N",
        "UN-1",
        told="at 1 stop undo",
    ),
    Case(
        "Z-38b",
        "B1(undo=block): s1[a] then[u(on_undo)[x]] B2(undo=never): s2[b]"
        " then[v(on_undo)[y]] B3: s3[c ok@5] then[w(on_undo)[z err@1]]",
        "S/STOPPED reasons(STOPPED UNDO) z@5 x@6 u=C w=F v=N",
        "UN-1 UN-3",
        told="at 1 stop; at 2 stop undo",
    ),
    Case(
        "Z-42",
        "B1: s1[a err@2] then[u(on_undo)[x]]",
        "S/STOPPED reasons(STOPPED BLOCK) a=F u=N trace(a)",
        "UN-1 HO-2",
        told="at 1 pause; at 4 stop",
    ),
    Case(
        "Z-51",
        "B1(batches=1:2 conc=none): s1..s4 ok@1",
        "C/UNKNOWN s3@1 s4@2 s2=K s1,s3,s4=C",
        "BG-2 SK-2",
        told="at 0 skip s2",
    ),
    Case(
        "Z-39",
        "B1: s1[a err@3] then[u(on_undo)[x]]",
        "S/STOPPED reasons(STOPPED BLOCK) a,s1,B1=F u=N trace(a)",
        "UN-1",
        stop_at=1,
    ),
    Case(
        "Z-40",
        "B1(conc=2): s1[a] then[u(on_undo)[x ok@4]] s2[b err@1] then[v(on_undo)[y err]]",
        "F/BLOCK reasons(BLOCK UNDO) y,v=F x,u=C x[1,5] s1=C s2=F plan[0,5]",
        "UN-2 UN-3 SP-8",
        stop_at=3,
    ),
    Case(
        "Z-107",
        "B1(undo=never): s1[a] then[u(on_undo)[x]] B2: s2[b] then[v(on_undo)[y]] s3 err",
        "F/BLOCK trace(a b s3 y) u=N v=C",
        "UN-1",
    ),
    Case(
        "Z-108",
        "B1(undo=block): s1[a] then[u(on_undo)[x]] def[bd err] B2",
        "F/BLOCK trace(a bd) u=N B1=F",
        "UN-1",
    ),
    Case(
        "Z-109",
        "B1(tol=-1): s1[a err] then[u(on_undo)[x] v(on_undo)[y(timeout=2) hang]"
        " w(on_undo)[z]] s2[b] then[t(on_undo)[r]] post[q err]",
        "F/BLOCK reasons(BLOCK UNDO) trace(a b q r x y z) u,w,t=C v=F z@2",
        "UN-2 UN-3 DA-4",
    ),
    Case(
        "Z-110",
        "post[q err] da[g(on_success) r(on_failure)] B1: s1[a] then[u(on_undo)[x]]"
        " B2: pre[p]",
        "F/POST_CHECK trace(a p B2.a q x r) u,r=C g=N",
        "UN-1 UN-2",
    ),
    Case(
        "Z-111",
        "pre[p err] B1: s1[a] then[u(on_undo)[x]]",
        "F/PRE_CHECK trace(p) rest=N pre=F plan=F",
        "UN-2 SD-2",
    ),
    Case(
        "Z-112",
        "B1(tol=1): s1[a err] then[u(on_undo)[x]] s2",
        "C/UNKNOWN u=N s1=F s1.then=C",
        "UN-1",
    ),
    Case(
        "Z-127",
        "B1: s1[a] then[u(on_undo)[x ok@2] v(on_undo)[y]] s2[b err@2] then[w(on_undo)[z]]",
        "F/BLOCK reasons(BLOCK) z@9 x@9 y@11 u,v,w=C effects(TAKEN TAKEN)",
        "UN-1 HO-2",
        told="at 1 freeze; at 9 unfreeze",
    ),
    Case(
        "Z-128",
        "B1: s1[a] then[u(on_undo)[x ok@2] v(on_undo)[y]] s2 err@2",
        "F/BLOCK reasons(BLOCK) x[2,4] u,v=C y@8 effects(TAKEN TAKEN)",
        "UN-2 HO-2",
        told="at 3 pause; at 8 unpause",
    ),
    Case(
        "Z-129",
        "B1: s1[a] then[u(on_undo)[x(timeout=3) hang]] s2[b ok@2]",
        "S/STOPPED reasons(STOPPED UNDO) x[2,5] u=F effects(TAKEN TOO_LATE)",
        "UN-4 SN-1",
        told="at 1 stop undo; at 3 stop now",
    ),
    Case(
        "Z-132",
        "B1: s1[a] then[u(on_undo)[x(timeout=3) hang] v(on_undo)[y]] s2[b err@2]",
        "F/BLOCK reasons(BLOCK UNDO) x[2,5] y@5 u=F v=C effects(TOO_LATE)",
        "UN-4 SN-1 SP-8",
        told="at 3 stop now",
    ),
    Case(
        "Z-133",
        "B1: s1[a] then[u(on_undo)[x(timeout=3) hang] v(on_undo)[y]] s2[b err@2]",
        "F/BLOCK reasons(BLOCK UNDO) x[2,5] y@9 u=F v=C effects(TAKEN TAKEN)",
        "UN-4 HO-2",
        told="at 3 freeze; at 9 unfreeze",
    ),
    Case(
        "Z-113",
        "B1(undo=block conc=2): s1[a ok@5] then[u(on_undo)[x ok@4]] s2 err@1"
        " def[bd] B2",
        "S/STOPPED reasons(STOPPED BLOCK) x@5 u=C bd@9",
        "UN-1 UN-2",
        stop_at=7,
    ),
)

BUDGETS = (
    Case("Z-43", "B1(tol=50%): s1..s2 err; s3", "F/BLOCK s1,s2,B1=F s3=N", "BG-1"),
    Case(
        "Z-44",
        "B1(tol=-1 consec=2): s1 err@1; s2 ok@1; s3..s4 err@1; s5",
        "F/BLOCK s1,s3,s4,B1=F s2=C s5=N",
        "BG-1",
    ),
    Case(
        "Z-45",
        "B1(batches=1:2 conc=none gap=1): gate[g ok@1] s1..s5 ok@2",
        "C/UNKNOWN s1@0 g@3,7 s2@4 s3@4 s4@8 s5@8 rest=C plan[0,10]",
        "BG-2",
    ),
    Case(
        "Z-46",
        "B1(batches=1): gate[g ok,err] s1..s3 post def[bd]",
        "F/BLOCK trace(s1 g s2 g bd) s3,B1.post=N B1.gate,B1=F",
        "BG-2",
    ),
    Case(
        "Z-48",
        "cont(d=1 fails=2)[k ok,err,ok,err,err] B1: s1 ok@9; s2",
        "F/CONT_CHECK k@0,1,2,3,4 s1=C s2=N cont=F",
        "BG-4",
    ),
    Case(
        "Z-50",
        "B1(tol=-1 consec=2 conc=3): s1 err@1; s2 ok@2; s3 err@2",
        "F/BLOCK s1,s3,B1=F s2=C",
        "BG-1",
    ),
    Case(
        "Z-115",
        "B1(batches=2:50% conc=1 tol=1): gate[g ok@1] s1 err; s2 ok@1; s3..s7 ok@1",
        "C/UNKNOWN s2@0 g@1,6 s3@2 s6@5 s7@7 s1=F",
        "BG-1 BG-2",
    ),
    Case(
        "Z-116",
        "B1(batches=1 gap=9): gate[g] s1..s2 ok@1",
        "S/STOPPED g@never s2=N B1.gate=N B1=S plan[0,3]",
        "BG-2 SP-5",
        stop_at=3,
    ),
    Case(
        "Z-117",
        "B1(batches=1): gate[g ok@5] s1..s2 ok@1",
        "S/STOPPED g=C s2=N B1.gate=C B1=S plan[0,6]",
        "BG-2 SP-5",
        stop_at=3,
    ),
    Case(
        "Z-130",
        "B1(batches=1:2 conc=none gap=1): gate[g ok@1] s1..s3 ok@2",
        "C/UNKNOWN s1@0 g@9 s2@10 s3@10 effects(TAKEN TAKEN)",
        "BG-2 BG-3 HO-2",
        told="at 1 pause; at 9 unpause",
    ),
    Case(
        "Z-131",
        "B1(batches=1 conc=none): gate[g ok@2] s1..s2 ok@2",
        "C/UNKNOWN s1@0 g[2,4] s2@9 trace(s1 g s2) effects(TAKEN TAKEN)",
        "BG-3 HO-2",
        told="at 3 freeze; at 9 unfreeze",
    ),
    Case(
        "Z-118",
        "cont(d=1 on_fail=warn)[k err] B1: s1 ok@2.5",
        "C/UNKNOWN k@0,1,2 cont=C k=F s1=C",
        "BG-4",
    ),
    Case(
        "Z-49",
        "cont(d=1 on_fail=pause)[k ok,err,err,ok] B1: s1[a ok@2.5; b]",
        "C/UNKNOWN k@0,1,2,3,4,5 cont=C a[0,2.5] b@5.5 effects(TAKEN TAKEN)",
        "BG-4 HO-1",
        told="at 5.5 unpause",
    ),
    Case(
        "Z-49b",
        "cont(d=1 on_fail=pause fails=2)[k ok,err,ok,err,err,err,err,err,ok]"
        " B1: s1[a ok@4.5; b ok@3; c]",
        "C/UNKNOWN k@0,1,2,3,4,5,6,7,8,9 b@5.5 c@9.5 effects(TAKEN TAKEN TAKEN TAKEN)",
        "BG-4",
        told="at 5.5 unpause; at 9.5 unpause",
    ),
    Case(
        "Z-49c",
        "cont(d=1 on_fail=pause fails=3)[k err,ok] B1: s1",
        "C/UNKNOWN k@0,1,2,3 s1@3.5 cont=C effects(TAKEN TAKEN)",
        "BG-4 E-4",
        told="at 3.5 unpause",
    ),
    Case(
        "Z-49d",
        "B1: cont(d=1 on_fail=pause)[k ok,err] s1[a ok@1.5; b]",
        "S/STOPPED k@0,1,2,3 B1.cont=C a=C b=N s1=S effects(TAKEN TAKEN)",
        "BG-4 HO-3 SP-5",
        told="at 3.5 stop",
    ),
    Case(
        "Z-119",
        "B1: cont(d=1 fails=3)[k err] s1",
        "F/BLOCK B1.cont=F s1=N k@0",
        "BG-4 E-4",
    ),
    Case(
        "Z-120",
        "B1(tol=-1 consec=2 conc=2): s1[a err] then[f(on_failure) ok@9]; s2 ok@1;"
        " s3[b err@2] then[h(always) ok@1]; s4 err@3; s5",
        "F/BLOCK s1,s3,s4,B1=F s2=C s5=N",
        "BG-1 SD-4",
    ),
    Case(
        "Z-121",
        "B1(batches=1:2 conc=none tol=0): gate[g] s1 then[u(on_undo)[x ok@1]]"
        " s2 then[v(on_undo)[y ok@1]] s3 err@1",
        "F/BLOCK x@1 y@1 g@0 u,v=C",
        "BG-2 UN-2",
    ),
    Case(
        "Z-122",
        "B1(batches=1): cont(d=1)[k ok,ok,err] gate[g ok@1.5] s1..s2 ok@1",
        "F/BLOCK s1,B1.gate=C B1.cont,B1=F s2=N",
        "BG-2 Q-2",
    ),
)

SEQUENCE_RECOVERY = (
    Case(
        "Z-47",
        "plan=R: B1=R(batches=1:2 conc=none): gate=C[g] s1=C s2=R[b=R{open}] s3",
        "C/UNKNOWN trace({b,s3})",
        "BG-3",
    ),
    Case(
        "Z-47b",
        "plan=R: B1=R(batches=1:2 conc=none): gate=C[g] s1=C s2..s3",
        "C/UNKNOWN trace(g {s2,s3})",
        "BG-3",
    ),
    Case(
        "Z-123",
        "plan=R: B1=R(batches=1): gate=F[g=F] s1=C s2",
        "F/BLOCK trace() s2=N B1=F",
        "BG-3",
    ),
    Case(
        "Z-124",
        "plan=R: cont=R(d=1 fails=2)[k=F] B1=R: s1=R[a=C; b ok@2.5]",
        "C/UNKNOWN k@0,1,2 rest=C",
        "BG-4 R-9",
    ),
    Case(
        "Z-125",
        "plan=R(stop): cont=R(d=1 fails=2)[k=F] B1=R: s1=R[a=C; b]",
        "S/STOPPED cont=C b=N s1,B1=S",
        "BG-4 SP-5",
    ),
    Case(
        "Z-126",
        "plan=R: B1=R(batches=1): gate=R[g=R{open}] cont=C[k err] s1=C s2",
        "F/BLOCK trace(k g) B1.gate=C s2=N B1=F",
        "BG-3 R-8",
    ),
    Case(
        "Z-49e",
        "plan=R(paused): cont=C(d=1 on_fail=pause)[k err,ok] B1=R: s1=R[a=C; b]",
        "C/UNKNOWN k@0,1,2,3 b@3.5 effects(TAKEN TAKEN)",
        "BG-4 HO-5",
        told="at 3.5 unpause",
    ),
    Case(
        "Z-49f",
        "plan=R: cont=R(d=1 on_fail=pause)[k=F] B1=R: s1=R[a=C; b ok@0.5]",
        "C/UNKNOWN k@0 b@0 cont=C effects()",
        "BG-4 R-8 R-9",
    ),
    Case(
        "Z-41",
        "plan=R: cont=C[k err] B1=F: s1=F[a=F] then=C[u=R(on_undo)[x=R{open}]]",
        "F/BLOCK reasons(BLOCK) trace(x) cont=C u=C s1,B1=F x{int ok}",
        "UN-2 R-9",
    ),
    Case(
        "Z-114",
        "plan=R: da[r(always)] B1=F(conc=2): s1=C[a] then=C[u=N(on_undo)[x]]"
        " s2=C[b] then=C[v=R(on_undo)[y=R{open}(on_interrupt=reconcile)]]"
        " s3=F[c=F] then=C[w=F(on_undo)[z=F]] s4",
        "F/BLOCK reasons(BLOCK UNDO) trace(x r) y{int ok} u,v=C w=F s4=N",
        "UN-2 R-7 R-16",
    ),
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

SEQUENCE_CASES = (*DEFERRED_WORK, *UNDO, *BUDGETS, *SEQUENCE_RECOVERY)
