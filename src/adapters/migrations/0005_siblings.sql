ALTER TABLE "sessions" ADD COLUMN "boot" text;
--> statement-breakpoint
-- Not by ->>, which fails for a whole document where one text in it has U+0000. A quote within a text is escaped, so nothing else looks like it.
UPDATE "sessions" SET "boot" = coalesce(substring("record"::text from '"boot":"([0-9a-f-]{8,64})"'), '');
--> statement-breakpoint
ALTER TABLE "sessions" ALTER COLUMN "boot" SET NOT NULL;
--> statement-breakpoint
CREATE INDEX "sessions_tenant_environment_agent_boot_index" ON "sessions" USING btree ("tenant","environment","agent","boot");
