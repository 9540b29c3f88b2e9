-- Count the cancelled tasks of each run

ALTER TABLE run_tally ADD COLUMN cancelled_tasks INTEGER NOT NULL DEFAULT 0;

UPDATE run_tally
SET cancelled_tasks = counted.tasks
FROM (
    SELECT org_id, run_id, count(*) AS tasks FROM task WHERE status = 'cancelled' GROUP BY org_id, run_id
) AS counted
WHERE counted.org_id = run_tally.org_id AND counted.run_id = run_tally.run_id;

DROP TRIGGER task_created;
DROP TRIGGER task_changed_status;
DROP TRIGGER task_deleted;

CREATE TRIGGER task_created AFTER INSERT ON task BEGIN
    UPDATE run_tally
    SET total_tasks     = total_tasks + 1,
        completed_tasks = completed_tasks + (new.status = 'completed'),
        failed_tasks    = failed_tasks + (new.status = 'failed'),
        cancelled_tasks = cancelled_tasks + (new.status = 'cancelled')
    WHERE org_id = new.org_id AND run_id = new.run_id;

    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    VALUES (new.org_id, '', '', new.status, 1),
           (new.org_id, '', new.type, new.status, 1),
           (new.org_id, new.run_id, '', new.status, 1),
           (new.org_id, new.run_id, new.type, new.status, 1)
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    SELECT new.org_id, new.parent_task_id, '', new.status, 1 WHERE new.parent_task_id IS NOT NULL
    UNION ALL
    SELECT new.org_id, new.parent_task_id, new.type, new.status, 1 WHERE new.parent_task_id IS NOT NULL
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
END;

CREATE TRIGGER task_changed_status AFTER UPDATE OF status ON task WHEN old.status <> new.status BEGIN
    UPDATE run_tally
    SET completed_tasks = completed_tasks + (new.status = 'completed') - (old.status = 'completed'),
        failed_tasks    = failed_tasks + (new.status = 'failed') - (old.status = 'failed'),
        cancelled_tasks = cancelled_tasks + (new.status = 'cancelled') - (old.status = 'cancelled')
    WHERE org_id = new.org_id AND run_id = new.run_id
      AND (new.status IN ('completed', 'failed', 'cancelled') OR old.status IN ('completed', 'failed', 'cancelled'));

    UPDATE task_count SET tasks = tasks - 1
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND status = old.status;

    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    VALUES (new.org_id, '', '', new.status, 1),
           (new.org_id, '', new.type, new.status, 1),
           (new.org_id, new.run_id, '', new.status, 1),
           (new.org_id, new.run_id, new.type, new.status, 1)
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    SELECT new.org_id, new.parent_task_id, '', new.status, 1 WHERE new.parent_task_id IS NOT NULL
    UNION ALL
    SELECT new.org_id, new.parent_task_id, new.type, new.status, 1 WHERE new.parent_task_id IS NOT NULL
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
END;

CREATE TRIGGER task_deleted AFTER DELETE ON task BEGIN
    UPDATE run_tally
    SET total_tasks     = total_tasks - 1,
        completed_tasks = completed_tasks - (old.status = 'completed'),
        failed_tasks    = failed_tasks - (old.status = 'failed'),
        cancelled_tasks = cancelled_tasks - (old.status = 'cancelled')
    WHERE org_id = old.org_id AND run_id = old.run_id;

    UPDATE task_count SET tasks = tasks - 1
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND status = old.status;

    DELETE FROM task_count
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND tasks = 0;
END;
