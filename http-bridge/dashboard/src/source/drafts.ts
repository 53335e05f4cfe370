// What was written and not stored yet, in this tab: a reload or a look elsewhere does not lose it.
import type { Language } from './text';

export interface Draft {
    text: string;
    language: Language;
    /** The version that it was begun from; null: of a new workflow. */
    version: number | null;
}

const keyOf = (workflow: string): string => `orch.draft.${workflow}`;

/** By workflow; '' is the one of new ones. */
export const drafts = {
    of: (workflow: string): Draft | null => {
        try {
            const draft = JSON.parse(sessionStorage.getItem(keyOf(workflow)) ?? 'null') as Draft | null;
            return draft && typeof draft.text === 'string' ? draft : null;
        } catch {
            return null;
        }
    },
    keep: (workflow: string, draft: Draft): void => {
        try {
            sessionStorage.setItem(keyOf(workflow), JSON.stringify(draft));
        } catch {
            // Too large to be kept: then it is not.
        }
    },
    drop: (workflow: string): void => sessionStorage.removeItem(keyOf(workflow)),
};
