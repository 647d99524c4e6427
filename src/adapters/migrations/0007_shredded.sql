-- What was revoked stays revoked, whoever takes the mark away: nothing is left that could be opened.
UPDATE "resource_versions" SET "sealed" = ''::bytea WHERE "revoked_at" IS NOT NULL;
