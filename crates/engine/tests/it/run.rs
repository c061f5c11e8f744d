//! The loop: conditions, errors, outputs, waiting, cancelling.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{Outcome, Progress, RecordError, Recorder};
use resources::PromotionPhase;
use serde_json::json;
use testkit::World;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Memory, PROJECT, context, empty_cluster, progress, promotion, run_once};

/// Runs steps and writes what became of each: `alias status message`, then the promotion's phase.
async fn check(steps: &str, expected: &[&str]) -> Progress {
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let progress = progress(run_once(promotion(steps), &cx).await);
    let mut lines: Vec<_> = progress
        .step_execution_metadata
        .iter()
        .map(|it| {
            format!(
                "{} {:?} {}",
                it.alias,
                it.status.as_ref().unwrap(),
                it.message
            )
            .trim()
            .to_owned()
        })
        .collect();
    lines.push(format!("{:?}", progress.phase));
    assert_eq!(lines, expected);
    progress
}

#[tokio::test]
async fn outputs_reach_later_steps() {
    let steps = "
        - {uses: compose-output, as: a, config: {x: 1, y: text}}
        - {uses: compose-output, as: b, config: {z: '${{ outputs.a.x + 1 }}', w: '${{ outputs.a.y }}!'}}
        - uses: compose-output
          as: c
          vars: [{name: v, value: '${{ outputs.b.w }}'}, {name: u, value: '${{ vars.v }}?'}]
          config: {vars: '${{ vars.u }}', stage: '${{ ctx.stage }}', actor: '${{ ctx.meta.promotion.actor }}'}";
    let progress = check(
        steps,
        &["a Succeeded", "b Succeeded", "c Succeeded", "Succeeded"],
    )
    .await;
    assert_eq!(progress.state["b"], json!({"z": 2, "w": "text!"}));
    assert_eq!(
        progress.state["c"],
        json!({"vars": "text!?", "stage": "test", "actor": "ann@example.com"})
    );
    assert_eq!(progress.current_step, 2);
}

#[tokio::test]
async fn a_failing_step_skips_those_that_do_not_ask_for_it() {
    let steps = "
        - {uses: fail, as: a, config: {message: stop}}
        - {uses: compose-output, as: b, config: {x: 1}}
        - {uses: compose-output, as: c, if: '${{ failure() }}', config: {x: 1}}
        - {uses: compose-output, as: d, if: '${{ always() }}', config: {x: '${{ status(\"a\") }}'}}
        - {uses: compose-output, as: e, if: '${{ success() }}', config: {x: 1}}";
    let expected = [
        "a Failed stop",
        "b Skipped",
        "c Succeeded",
        "d Succeeded",
        "e Skipped",
        "Failed",
    ];
    let progress = check(steps, &expected).await;
    assert_eq!(progress.message, "step \"a\": stop");
    assert_eq!(progress.state["d"], json!({"x": "Failed"}));
}

#[tokio::test]
async fn a_step_that_may_fail_stops_nothing() {
    let steps = "
        - {uses: fail, as: a, continueOnError: true}
        - {uses: compose-output, as: b, config: {x: 1}}";
    check(
        steps,
        &["a Failed failed on purpose", "b Succeeded", "Succeeded"],
    )
    .await;
}

#[tokio::test]
async fn an_unknown_kind_fails_only_when_it_would_run() {
    let steps = "
        - {uses: tf-plan, as: a, if: '${{ false }}', config: {dir: .}}
        - {uses: compose-output, as: b, config: {x: 1}}
        - {uses: tf-plan, as: c, config: {dir: .}}";
    let expected = [
        "a Skipped",
        "b Succeeded",
        "c Errored no step is called \"tf-plan\"; this version has compose-output, copy, delete, fail, git-clear, git-clone, \
         git-commit, git-push, kustomize-build, kustomize-set-image, set-metadata, yaml-update",
        "Errored",
    ];
    check(steps, &expected).await;
}

#[tokio::test]
async fn a_wrong_expression_ends_its_step() {
    let steps = "
        - {uses: compose-output, as: a, if: '${{ 1 }}', config: {x: 1}}
        - {uses: compose-output, as: b, if: '${{ always() }}', config: {x: '${{ outputs.none.y }}'}}";
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let progress = progress(run_once(promotion(steps), &cx).await);
    let [a, b] = progress.step_execution_metadata.as_slice() else {
        panic!("{progress:?}")
    };
    assert_eq!(
        a.message,
        "failed to evaluate the condition: \"${{ 1 }}\" is not true or false; \
         next: correct it in the Stage's promotionTemplate, then promote again"
    );
    assert!(
        b.message
            .starts_with("failed to evaluate the configuration: "),
        "{}",
        b.message
    );
    assert!(a.started_at.is_none() && b.started_at.is_some());
    assert_eq!(progress.phase, PromotionPhase::Errored);
}

#[tokio::test]
async fn a_configuration_must_follow_the_schema_once_it_is_evaluated() {
    let steps = "
        - {uses: copy, as: a, config: {inPath: '${{ 1 }}', out: x}}";
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let progress = progress(run_once(promotion(steps), &cx).await);
    let message = &progress.step_execution_metadata[0].message;
    assert!(message.starts_with("invalid copy config: "), "{message}");
    assert_eq!(progress.phase, PromotionPhase::Failed);
}

#[tokio::test]
async fn outputs_of_a_task_are_seen_inside_it_and_composed_ones_outside() {
    let steps = "
        - {uses: compose-output, as: 't::a', config: {x: 1}}
        - {uses: compose-output, as: 't::b', config: {y: '${{ task.outputs.a.x }}', s: '${{ status(\"a\") }}'}}
        - {uses: compose-output, as: c, config: {z: '${{ outputs.t.y }}'}}";
    let progress = check(
        steps,
        &[
            "t::a Succeeded",
            "t::b Succeeded",
            "c Succeeded",
            "Succeeded",
        ],
    )
    .await;
    assert_eq!(progress.state["c"], json!({"z": 1}));
    assert_eq!(
        progress.state["t"],
        json!({"x": 1, "y": 1, "s": "Succeeded"})
    );
}

#[tokio::test]
async fn an_error_is_retried_until_its_threshold() {
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let steps = "
        - {uses: delete, as: a, retry: {errorThreshold: 3}, config: {path: none, strict: true}}";
    let mut run = promotion(steps);
    for count in 1..3 {
        match run_once(run.clone(), &cx).await {
            Outcome::Retry { progress, message } => {
                assert!(message.contains("nothing to delete"), "{message}");
                let execution = &progress.step_execution_metadata[0];
                assert_eq!(execution.error_count, count);
                assert!(
                    execution.message.ends_with("; step will be retried"),
                    "{}",
                    execution.message
                );
                run.progress = progress;
            }
            other => panic!("{other:?}"),
        }
    }
    let progress = progress(run_once(run, &cx).await);
    assert_eq!(progress.phase, PromotionPhase::Errored);
    let message = &progress.step_execution_metadata[0].message;
    assert!(
        message.starts_with("met error threshold of 3: "),
        "{message}"
    );
}

#[tokio::test]
async fn a_retried_step_gives_up_when_its_time_is_over() {
    let root = tempfile::tempdir().unwrap();
    let mut cx = context(empty_cluster(), root.path());
    let calls = Arc::new(AtomicUsize::new(0));
    // Each look at the clock is a minute later than the last.
    cx.clock = Arc::new(move || {
        let minutes = i64::try_from(calls.fetch_add(1, Ordering::Relaxed)).unwrap();
        jiff::Timestamp::from_second(1_700_000_000 + 60 * minutes).unwrap()
    });
    let steps = "
        - {uses: delete, as: a, retry: {errorThreshold: 99, timeout: 1m}, config: {path: none, strict: true}}";
    let progress = progress(run_once(promotion(steps), &cx).await);
    assert_eq!(progress.phase, PromotionPhase::Errored);
    assert!(
        progress.message.contains("timed out after 60s"),
        "{}",
        progress.message
    );
}

#[tokio::test]
async fn progress_is_recorded_before_each_step_starts() {
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let steps = "
        - {uses: compose-output, as: a, config: {x: 1}}
        - {uses: compose-output, as: b, config: {x: 2}}";
    let memory = Memory::default();
    engine::run(promotion(steps), &cx, &memory, CancellationToken::new()).await;
    let seen: Vec<_> = memory
        .all()
        .iter()
        .map(|it| (it.current_step, it.state.len()))
        .collect();
    assert_eq!(seen, [(0, 0), (1, 1)]);
}

struct Refuses(RecordError);

#[async_trait::async_trait]
impl Recorder for Refuses {
    async fn record(&self, progress: &Progress) -> Result<(), RecordError> {
        match (&self.0, progress.current_step) {
            (_, 0) => Ok(()),
            (RecordError::Gone, _) => Err(RecordError::Gone),
            (RecordError::Rejected(why), _) => Err(RecordError::Rejected(why.clone())),
            (RecordError::Unavailable(why), _) => Err(RecordError::Unavailable(why.clone())),
        }
    }
}

#[tokio::test]
async fn a_step_does_not_start_when_progress_cannot_be_recorded() {
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let steps = "
        - {uses: compose-output, as: a, config: {x: 1}}
        - {uses: compose-output, as: b, config: {x: 2}}";
    let run = |error| {
        let cx = cx.clone();
        async move {
            engine::run(
                promotion(steps),
                &cx,
                &Refuses(error),
                CancellationToken::new(),
            )
            .await
        }
    };
    assert!(matches!(
        run(RecordError::Gone).await,
        Outcome::Interrupted(_)
    ));
    let Outcome::Retry { progress, .. } = run(RecordError::Unavailable("busy".to_owned())).await
    else {
        panic!()
    };
    assert_eq!(progress.state.len(), 1);
    let Outcome::Finished(progress) = run(RecordError::Rejected("too large".to_owned())).await
    else {
        panic!()
    };
    assert_eq!(progress.phase, PromotionPhase::Errored);
    assert!(progress.state.is_empty(), "what was too large is not kept");
}

#[tokio::test]
async fn lost_files_mean_the_first_step_again_with_outputs_kept() {
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    let steps = "
        - {uses: compose-output, as: a, config: {x: '${{ outputs.b?.x ?? 1 }}'}}
        - {uses: compose-output, as: b, config: {x: 2}}";
    let mut run = promotion(steps);
    run.progress = progress(run_once(run.clone(), &cx).await);
    assert_eq!(run.progress.state["a"], json!({"x": 1}));
    engine::remove_work_dir(root.path(), &run.promotion_uid).unwrap();
    assert_eq!(
        progress(run_once(run, &cx).await).state["a"],
        json!({"x": 2})
    );
}

#[tokio::test]
async fn cancelling_kills_the_children_of_the_step_and_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    let mut cx = context(empty_cluster(), root.path());
    let slow = root.path().join("kustomize");
    fs::write(&slow, "#!/bin/sh\necho $$ >\"$HOME/pid\"\nsleep 300\n").unwrap();
    fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    cx.settings.kustomize = slow;
    let run = promotion("[{uses: kustomize-build, as: a, config: {path: ., outPath: out.yaml}}]");
    let work_dir = root.path().join(format!("promotion-{}", run.promotion_uid));
    fs::create_dir_all(work_dir.join("files")).unwrap();
    fs::write(work_dir.join("files/kustomization.yaml"), "resources: []\n").unwrap();
    let cancel = CancellationToken::new();
    let memory = Memory::default();
    let started = Instant::now();
    let pid = work_dir.join("renderer/home/pid");
    let watch = async {
        while !fs::read_to_string(&pid).is_ok_and(|it| it.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
        std::future::pending::<Outcome>().await
    };
    let running = engine::run(run, &cx, &memory, cancel.clone());
    let outcome = tokio::select! { outcome = running => outcome, outcome = watch => outcome };
    let Outcome::Interrupted(progress) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(progress, memory.last(), "all there is to know was recorded");
    let stat = format!("/proc/{}/stat", fs::read_to_string(&pid).unwrap().trim());
    for _ in 0..200 {
        match fs::read_to_string(&stat) {
            Ok(text) if !text.contains(") Z ") => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(_) | Err(_) => return,
        }
    }
    panic!("the child still runs");
}

#[tokio::test]
async fn expressions_read_the_cluster() {
    let world = World::new().await.unwrap();
    let objects = format!(
        "{{apiVersion: v1, kind: Namespace, metadata: {{name: {PROJECT}}}}}
---
{{apiVersion: v1, kind: Namespace, metadata: {{name: shared}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c, namespace: {PROJECT}}}, data: {{k: v}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: s, namespace: {PROJECT}}}, stringData: {{k: hidden}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: t, namespace: shared}}, stringData: {{k: hidden}}}}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {{name: w, namespace: {PROJECT}}}
spec: {{subscriptions: [{{image: {{repoURL: r/web}}}}]}}
"
    );
    world.apply(&objects).await.unwrap();
    let root = tempfile::tempdir().unwrap();
    let cx = context(world.client(), root.path());
    let mut run = promotion(
        "
        - uses: compose-output
          as: a
          vars: [{name: image, value: '${{ quote(imageFrom(\"r/web\").Tag) }}'}]
          config:
            tag: '${{ quote(vars.image) }}'
            digest: '${{ imageFrom(\"r/web\", warehouse(\"w\")).Digest }}'
            none: '${{ imageFrom(\"r/other\") == nil }}'
            map: '${{ configMap(\"c\").k }}'
            secret: '${{ secret(\"s\").k }}'
            missing: '${{ len(configMap(\"none\")) }}'
            shared: '${{ len(sharedSecret(\"t\")) }}'
            freight: '${{ freightMetadata(\"none\") == nil }}'",
    );
    run.requested_freight = serde_json::from_value(
        json!([{"origin": {"kind": "Warehouse", "name": "w"}, "sources": {"direct": true}}]),
    )
    .unwrap();
    let freight = json!({"name": "f", "origin": {"kind": "Warehouse", "name": "w"},
        "images": [{"repoURL": "r/web", "tag": "1.10", "digest": "sha256:d"}]});
    run.freight_collection =
        resources::FreightCollection::of([serde_json::from_value(freight).unwrap()]);
    let progress = progress(run_once(run, &cx).await);
    assert_eq!(progress.message, "");
    assert_eq!(
        progress.state["a"],
        json!({"tag": "1.10", "digest": "sha256:d", "none": true, "map": "v", "secret": "hidden", "missing": 0,
            "shared": 0, "freight": true})
    );
}
